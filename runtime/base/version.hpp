// The version of this program, e.g. "0.1.0": what `--version`, `GET /version`
// and the log say. CMakeLists.txt has the number; only version.cpp is compiled
// anew when it changes.
#pragma once

namespace greenroom {

const char* version() noexcept;

} // namespace greenroom
