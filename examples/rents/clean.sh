# Keeps the header, and the flats of at least so many square metres. Arguments: rows, smallest, kept.
set -eu
awk -F, -v smallest="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i ~ /^"?size"?$/) at = i; print; next } $at >= smallest' "$1" > "$3"
