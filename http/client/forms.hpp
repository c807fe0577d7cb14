// The forms that words of the command line have: what can be no duration, name
// or signal is a usage error that says what would do, and no request is sent
// for it. Which statuses, types, scopes and goals there are, and how long
// something may live, is left to the server, which may be a newer one: what it
// refuses is bad usage, too (errors.hpp).
//
// Each function answers with what is wrong, or with nothing, as CLI11's checks
// do.
#pragma once

#include <string>

namespace greenroom::http::client::form {

std::string duration(const std::string& text);
std::string project(const std::string& text);
/// A name, with or without SIG, or a number.
std::string signal(const std::string& text);
std::string http_url(const std::string& text);
/// NAME=VALUE for a command's environment.
std::string variable(const std::string& text);

/// Throws usage_error for what is wrong with a word that is called so.
void require(const std::string& name, const std::string& fault);

} // namespace greenroom::http::client::form
