// <string> names a locale type of glibc's. The start binary has no locales; the name must exist all the same.
#ifndef IMMURE_MUSL_CXX_LOCALE
#define IMMURE_MUSL_CXX_LOCALE
#include <clocale>
#define _GLIBCXX_NUM_CATEGORIES 0
namespace std {
typedef int* __c_locale;
}
#endif
