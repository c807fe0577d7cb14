// What lets a shell complete the commands, made from CLI11's own tree so that
// it cannot fall behind.
//
// A shell's words before the cursor are read as the program reads them: options
// and their values may stand before the command. What says which server and
// which project is meant goes along where the program itself is asked for
// names.
#pragma once

#include <string>

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace greenroom::http::client {

/// Whether a word goes with it.
bool takes_value(const CLI::Option& option);

std::string completion_for_bash(const CLI::App& root);
/// A file of zsh's fpath, or what `source` reads.
std::string completion_for_zsh(const CLI::App& root);
std::string completion_for_fish(const CLI::App& root);

} // namespace greenroom::http::client
