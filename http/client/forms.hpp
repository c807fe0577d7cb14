// The forms that words of the command line have: what can be no duration,
// status or signal is a usage error that says what would do, and no request is
// sent for it.
//
// Each function answers with what is wrong, or with nothing, as CLI11's checks
// do.
#pragma once

#include <string>

namespace greenroom::http::client::form {

std::string duration(const std::string& text);
/// How long a session or a link is to live.
std::string lifetime(const std::string& text);
std::string project(const std::string& text);
std::string session_status(const std::string& text);
std::string review_status(const std::string& text);
std::string delivery_status(const std::string& text);
/// What `wait` waits for.
std::string goal(const std::string& text);
/// Types of events, with commas between.
std::string event_types(const std::string& text);
/// Where a stream of events begins.
std::string event_place(const std::string& text);
std::string webhook_type(const std::string& text);
std::string scope(const std::string& text);
/// A name, with or without SIG, or a number.
std::string signal(const std::string& text);
std::string http_url(const std::string& text);
/// NAME=VALUE for a command's environment.
std::string variable(const std::string& text);

/// Throws usage_error for what is wrong with a word that is called so.
void require(const std::string& name, const std::string& fault);

} // namespace greenroom::http::client::form
