// Asks for a key on standard input. What is typed on a terminal is not shown,
// and the terminal is as before when we go, by a signal too.
#pragma once

#include <string>

namespace greenroom::http::client {

/// The first line, without blanks around its end. Throws command_failed where a
/// signal ends us instead.
std::string ask_key();

} // namespace greenroom::http::client
