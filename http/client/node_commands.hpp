// The commands about nodes; see commands.hpp.
#pragma once

namespace greenroom::http::client {

struct command_set;

void add_node_commands(command_set& set);

} // namespace greenroom::http::client
