// The commands of the command line: what each is called, takes and does.
//
// A command registers itself with CLI11 and keeps its options; the one that was
// chosen is then run as a coroutine on one event loop.
#pragma once

#include "http/client/api_client.hpp"
#include "http/client/printing.hpp"
#include "http/client/session_choice.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace greenroom::http::client {

/// What all commands take.
struct common_options {
  choice_options server;
  std::string project;
  std::string format = "table";
  std::vector<std::string> json_fields;
  bool as_json = false;
  bool quiet = false;
  bool yes = false;
  std::vector<std::string> words; // after "--"

  printing how_to_print() const;
};

struct invocation {
  asio::io_context& io;
  api_client& api;
  const common_options& options;

  /// A list, or one object.
  void show(const json& what, const std::vector<column>& columns,
            const char* name_field = "id") const {
    auto how = options.how_to_print();
    how.name_field = name_field;
    print(shown(what, columns, how));
    tell_unknown_fields(what);
  }
  /// Of --json: a misspelt name would else be null without a word.
  void tell_unknown_fields(const json& what) const;
  /// Asks before what cannot be undone. Throws usage_error where nobody can be
  /// asked and --yes is not given, command_failed where the answer is no.
  void confirm(const std::string& question) const;

  /// For a command that has none; `instead` says what would do. Throws
  /// usage_error where JSON is wanted.
  void refuse_json(const std::string& instead) const;

  /// Whether the key may do more than read. Throws what api_client throws.
  asio::awaitable<bool> may_change() const;

  asio::awaitable<session_ref> session(std::string word) const {
    return choose_session(api, options.project, std::move(word));
  }
};

using action = std::function<asio::awaitable<int>(invocation&)>;

struct command_set {
  CLI::App& root;
  common_options& options;
  action chosen;                     // none: no command of the client's
  std::function<int()> chosen_local; // one that asks no server
  bool takes_words = false;          // what stands after "--" is for it

  /// A command of `parent`, which is the root or a command itself. `run` lives
  /// as long as the set.
  CLI::App* add(CLI::App& parent, const std::string& name,
                const std::string& help, action run);
};

void add_session_commands(command_set& set);
void add_work_commands(command_set& set);
void add_clone_commands(command_set& set);
void add_exec_commands(command_set& set);
void add_exec_list_commands(command_set& set);
void add_port_commands(command_set& set);
void add_review_commands(command_set& set);
void add_webhook_commands(command_set& set);
void add_event_commands(command_set& set);
void add_admin_commands(command_set& set);
void add_help_commands(command_set& set);

/// Of two words on the command line the first, the session, may be left out:
/// one alone is the second. Throws usage_error where that is missing, with
/// `example`.
void let_session_out(std::string& session, std::string& second,
                     const char* example);

/// Starts an exec by `body` and answers its record. The same `exec_id` again is
/// the same exec, so a broken connection starts nothing twice.
asio::awaitable<json> start_exec(api_client& api, session_ref session,
                                 json body);

/// The columns of lists of sessions.
std::vector<column> session_columns();

} // namespace greenroom::http::client
