// What people without a key are not to know of a sentence: where this machine
// keeps its files.
#pragma once

#include <string>
#include <string_view>

namespace greenroom::http {

/// `text` with "…" for each path in it, whatever stands before it. Of what may
/// be one it hides too much rather than too little: each word with a slash but
/// such as "and/or", and all that is quoted or bracketed together with a
/// leading one.
std::string without_paths(std::string_view text);

} // namespace greenroom::http
