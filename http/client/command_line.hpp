// The client's half of the program `greenroom`.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class Error;
} // namespace CLI

namespace greenroom::http::client {

class command_line {
public:
  /// Adds the commands to `root`, which must outlive this.
  explicit command_line(CLI::App& root);
  command_line(const command_line&) = delete;
  command_line& operator=(const command_line&) = delete;
  ~command_line();

  /// Has `root` parse the words of a command of the client's; throws as CLI11
  /// does. By itself that would take the word after a bare --json for its
  /// fields, whatever it is: it is where it has commas, or can be nothing else.
  static void parse(CLI::App& root, const std::vector<std::string>& words);

  /// What is wrong with the words of any command, the node's included, and what
  /// would help.
  static std::string fault_text(const CLI::App& root, const CLI::Error& error);

  /// The command of that name or alias; null: there is none.
  static const CLI::App* find_command(const CLI::App& of,
                                      const std::string& name);
  /// What to say of a word that is no command of `of`, with the one that was
  /// meant where a slip of the keyboard would do.
  static std::string unknown_command(const CLI::App& of,
                                     const std::string& word);

  /// What the help of each command of the client ends with.
  static constexpr std::string_view shared_options =
    "As all commands of the client it takes --url, --key-file, --ca-file, -p "
    "(--project),\n-o (--output), --json, -q and -y, too: see `greenroom "
    "help`.\n";

  /// Whether one of them has been parsed.
  bool chosen() const noexcept;

  /// Runs it with the words that stood after "--"; returns the exit code. Says
  /// on standard error what went wrong.
  int run(std::vector<std::string> words);

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace greenroom::http::client
