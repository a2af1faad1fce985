// libstdc++'s header of this name asks for glibc. With musl the standard headers need only this.
#ifndef IMMURE_MUSL_OS_DEFINES
#define IMMURE_MUSL_OS_DEFINES
#define __NO_CTYPE 1
#endif
