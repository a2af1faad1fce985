# Counts results in a log that speaks GoogleTest or TAP. Prints, separated by tabs:
#   passed N, failed N, skipped N, failure NAME, skip NAME: REASON
{ sub(/\r$/, ""); gsub(/\033\[[0-9;]*m/, "") }

/^\[ RUN      \] / { running = $4; reason = ""; next }
/^\[       OK \] / { ++passed; running = ""; next }
/^\[  FAILED  \] .* \([0-9]+ ms\)$/ { ++failed; failure[failed] = running; running = ""; next }
/^\[  SKIPPED \] .* \([0-9]+ ms\)$/ {
  ++skipped
  skip[skipped] = running ": " (reason == "" ? "no reason given" : reason)
  running = ""
  next
}
# The reason stands below "file:line: Skipped".
/: Skipped$/ { take = 1; next }
take && $0 != "" { reason = (reason == "" ? $0 : reason " " $0); take = 0; next }

/^ok / {
  if (match($0, / # SKIP /)) {
    name = substr($0, 1, RSTART - 1)
    sub(/^ok [0-9]* *- /, "", name)
    ++skipped
    skip[skipped] = name ": " substr($0, RSTART + RLENGTH)
  } else {
    ++passed
  }
  next
}
/^not ok / { ++failed; name = $0; sub(/^not ok [0-9]* *- */, "", name); failure[failed] = name; next }

END {
  # A program that dies in a test never says how the test ended.
  if (running != "") { ++failed; failure[failed] = running " (the program ended in it)" }
  printf "passed\t%d\nfailed\t%d\nskipped\t%d\n", passed, failed, skipped
  for (i = 1; i <= failed; ++i) printf "failure\t%s\n", failure[i]
  for (i = 1; i <= skipped; ++i) printf "skip\t%s\n", skip[i]
}
