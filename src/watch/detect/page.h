// What the table of detectors says of itself: a page of it, a list, one of them.
#pragma once

#include <string>

#include "watch/detect/detector.h"

namespace immure::watch {

std::string detectors_page();                            // docs/detectors.md, up to what was measured
std::string detectors_list();                            // lines of id, severity and title
std::string explain_detector(const Detector& detector);  // what --explain shows
std::string detectors_json();                            // immure.detectors/1

}  // namespace immure::watch
