"""What mends a table, as steps of a pipeline: `fb.clean.drop_duplicates(rows)`.

Outside of a pipeline they are plain functions. In one, each is a step of the run, so that lineage says what was done to
the rows; what they do is told in `flyball.data.fixes`.
"""

from __future__ import annotations

from flyball.data import fixes
from flyball.pipelines.step import step

drop_duplicates = step(fixes.drop_duplicates)
drop_near_duplicates = step(fixes.drop_near_duplicates)
drop_columns = step(fixes.drop_columns)
drop_missing = step(fixes.drop_missing)
fill_missing = step(fixes.fill_missing)
to_missing = step(fixes.to_missing)
clip = step(fixes.clip)
rescale = step(fixes.rescale)
to_numbers = step(fixes.to_numbers)
to_times = step(fixes.to_times)
to_marks = step(fixes.to_marks)
merge_values = step(fixes.merge_values)
drop_rows_in = step(fixes.drop_rows_in)
drop_label_errors = step(fixes.drop_label_errors)
