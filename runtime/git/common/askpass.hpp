// Answers git's questions for a user name and a password.
//
// What to answer is in a file that GREENROOM_GIT_SECRET names: origin, user
// name and password, a line each. So nothing of it is in a command line or an
// environment. A question about another origin is not answered: a redirect
// must not lead the password astray.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace greenroom::git {

inline constexpr const char* secret_variable = "GREENROOM_GIT_SECRET";

/// What to answer to "Username for 'https://host': " or "Password for
/// 'https://user@host': "; nullopt for anything else.
std::optional<std::string> answer_prompt(std::string_view prompt);

} // namespace greenroom::git
