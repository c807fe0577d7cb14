// The commands described for programs: as JSON, which comes from CLI11's own
// tree, so that it cannot fall behind; and for shells that complete them.
#include "http/client/commands.hpp"

#include "http/client/completions.hpp"
#include "http/client/errors.hpp"

#include <CLI/CLI.hpp>

#include <memory>

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

} // namespace

void add_help_commands(command_set& set) {
  auto* made = set.add(set.root, "help",
                       "All commands, as people or programs "
                       "read them (--json)",
                       {});
  made->callback([&set] {
    set.chosen_local = [&set] {
      auto json_wanted =
        set.options.how_to_print().format == output_format::as_json;
      print(json_wanted ? described(set.root).dump(2) + "\n"
                        : set.root.get_formatter()->make_help(
                          &set.root, "greenroom", CLI::AppFormatMode::Normal));
      return exit_code::done;
    };
  });
  auto shell = std::make_shared<std::string>();
  made =
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
