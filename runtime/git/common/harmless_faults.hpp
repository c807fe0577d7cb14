// What git's fsck finds at fault in objects and sessions may send all the same,
// by the names that it has for them.
#pragma once

#include <array>

namespace greenroom::git {

inline constexpr std::array harmless_faults{
  // Old programs have left them in histories that are merged until today.
  "badTimezone", "missingSpaceBeforeDate", "zeroPaddedFilemode",
  "zeroPaddedDate",
  // Of .gitattributes, from 2048 bytes on: git passes over them, with a
  // warning.
  "gitattributesLineLength"};

} // namespace greenroom::git
