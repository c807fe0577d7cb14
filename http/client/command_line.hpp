// The client's half of the program `greenroom`.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace greenroom::http::client {

class command_line {
public:
  /// Adds the commands to `root`, which must outlive this.
  explicit command_line(CLI::App& root);
  command_line(const command_line&) = delete;
  command_line& operator=(const command_line&) = delete;
  ~command_line();

  /// Words as CLI11 reads them: by itself it would take the word after a bare
  /// --json for its fields, whatever that is. Several with commas between are.
  static void prepare(std::vector<std::string>& words);

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
