# Writes the revision of the source into OUTPUT; empty outside of a clone.
execute_process(COMMAND git -C ${SOURCE} rev-parse --short=12 HEAD
  OUTPUT_VARIABLE revision OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
file(WRITE ${OUTPUT} "#define IMMURE_REVISION \"${revision}\"\n")
