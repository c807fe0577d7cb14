// The commands described for programs: as JSON, which comes from CLI11's own
// tree, so that it cannot fall behind; and for shells that complete them.
#include "http/client/commands.hpp"

#include "http/client/command_line.hpp"
#include "http/client/completions.hpp"
#include "http/client/errors.hpp"
#include "runtime/base/version.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <string>
#include <vector>

namespace greenroom::http::client {

namespace {

json described(const CLI::App& of) {
  json result{{"name", of.get_name()}, {"help", of.get_description()}};
  if (!of.get_aliases().empty())
    result["aliases"] = of.get_aliases();
  for (const auto* option : of.get_options()) {
    json one{{"name", option->get_name(option->get_positional(), true)},
             {"help", option->get_description()},
             {"takes_value", takes_value(*option)},
             {"required", option->get_required()}};
    result[option->get_positional() ? "arguments" : "options"].push_back(one);
  }
  if (auto notes = of.get_footer(); !notes.empty())
    result["notes"] = notes;
  for (const auto* sub : of.get_subcommands(nullptr))
    result["commands"].push_back(described(*sub));
  return result;
}

bool json_is_wanted(const command_set& set) {
  return set.options.how_to_print().format == output_format::as_json;
}

// Of all, or of the command that the words name.
int tell_help(const command_set& set, const std::vector<std::string>& words) {
  const CLI::App* of = &set.root;
  std::string name = "greenroom";
  for (auto& word : words) {
    const auto* sub = command_line::find_command(*of, word);
    if (sub == nullptr)
      throw usage_error(command_line::unknown_command(*of, word));
    of = sub;
    name += ' ' + of->get_name();
  }
  if (json_is_wanted(set)) {
    print(described(*of).dump(2) + "\n");
    return exit_code::done;
  }
  print(of->get_formatter()->make_help(of, name, CLI::AppFormatMode::Normal));
  if (of != &set.root && of->get_fallthrough())
    print(command_line::shared_options);
  return exit_code::done;
}

int show_version(const command_set& set) {
  const std::string number = version();
  print(json_is_wanted(set) ? json{{"version", number}}.dump(2) + "\n"
                            : "greenroom " + number + "\n");
  return exit_code::done;
}

void add_help(command_set& set) {
  auto words = std::make_shared<std::vector<std::string>>();
  auto* made = set.add(set.root, "help",
                       "All commands, or what one takes, as people or programs "
                       "read them (--json)",
                       {});
  made->add_option("command", *words, "Else all");
  made->callback([&set, words] {
    set.chosen_local = [&set, words] { return tell_help(set, *words); };
  });
  made = set.add(set.root, "version", "The version of this program", {});
  made->callback(
    [&set] { set.chosen_local = [&set] { return show_version(set); }; });
}

} // namespace

void add_help_commands(command_set& set) {
  add_help(set);
  auto shell = std::make_shared<std::string>();
  auto* made =
    set.add(set.root, "completion", "What lets a shell complete commands", {});
  made->add_option("shell", *shell, "bash, zsh or fish")
    ->required()
    ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  made->callback([&set, shell] {
    set.chosen_local = [&set, shell] {
      print(*shell == "fish"  ? completion_for_fish(set.root)
            : *shell == "zsh" ? completion_for_zsh(set.root)
                              : completion_for_bash(set.root));
      return exit_code::done;
    };
  });
  made->footer(
    "Example, in ~/.bashrc or ~/.zshrc:\n  source <(greenroom "
    "completion bash)\n  source <(greenroom completion zsh)\nin "
    "~/.config/fish/config.fish:\n  greenroom completion fish | source");
}

} // namespace greenroom::http::client
