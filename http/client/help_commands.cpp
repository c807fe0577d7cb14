// The commands described for programs: as JSON, and for shells that complete
// them. Both come from CLI11's own tree, so neither can fall behind.
#include "http/client/commands.hpp"

#include "http/client/errors.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <set>

namespace greenroom::http::client {

namespace {

bool takes_value(const CLI::Option& option) {
  return option.get_positional() || option.get_items_expected_min() > 0;
}

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

// Its own, and those of its commands.
std::string long_options(const CLI::App& of) {
  std::set<std::string> names;
  auto add = [&](const CLI::App& one) {
    for (const auto* option : one.get_options())
      names.insert(option->get_lnames().begin(), option->get_lnames().end());
  };
  add(of);
  if (of.get_parent() != nullptr)
    for (const auto* sub : of.get_subcommands(nullptr))
      add(*sub);
  std::string result;
  for (auto& name : names)
    result += (result.empty() ? "--" : " --") + name;
  return result;
}

std::string names_of(const CLI::App& of) {
  std::string result;
  for (const auto* sub : of.get_subcommands(nullptr))
    result += (result.empty() ? "" : " ") + sub->get_name();
  return result;
}

// Words of bash's own completion.
std::string for_bash(const CLI::App& root) {
  std::string cases;
  for (const auto* sub : root.get_subcommands(nullptr))
    cases += "    " + sub->get_name() + ") words=\"" + names_of(*sub) + ' '
             + long_options(*sub) + "\" ;;\n";
  return "_greenroom() {\n"
         "  local words=\""
         + names_of(root)
         + "\" now=${COMP_WORDS[COMP_CWORD]}"
           "\n  [ \"$COMP_CWORD\" -gt 1 ] && case ${COMP_WORDS[1]} in\n"
         + cases
         + "    *) words= ;;\n  esac\n"
           "  case $now in\n"
           "    -*) words=\"$words "
         + long_options(root)
         + "\" ;;\n"
           "    *) [ \"$COMP_CWORD\" -gt 1 ] &&\n"
           "      words=\"$words $(greenroom list -q 2>/dev/null)\" ;;\n"
           "  esac\n"
           "  COMPREPLY=($(compgen -W \"$words\" -- \"$now\"))\n"
           "}\ncomplete -o default -F _greenroom greenroom\n";
}

// Between single quotes zsh takes all as it is but another.
std::string quoted_for_zsh(const std::string& text) {
  std::string result = "'";
  for (char c : text)
    result += c == '\'' ? std::string{"'\\''"} : std::string{c};
  return result + '\'';
}

// A file of zsh's fpath, where the first line says what it completes and the
// file is the function; or read by `source`, where it has to say so itself.
std::string for_zsh(const CLI::App& root) {
  std::string commands;
  std::string cases;
  for (const auto* sub : root.get_subcommands(nullptr)) {
    commands += "    "
                + quoted_for_zsh(sub->get_name() + ':' + sub->get_description())
                + '\n';
    cases += "    " + sub->get_name() + ") subs=(" + names_of(*sub)
             + ") flags=(" + long_options(*sub) + ") ;;\n";
  }
  return "#compdef greenroom\n"
         "_greenroom() {\n"
         "  local -a known subs flags\n"
         "  known=(\n"
         + commands
         + "  )\n"
           "  (( CURRENT > 2 )) && case ${words[2]} in\n"
         + cases
         + "  esac\n"
           "  if [[ ${words[CURRENT]} == -* ]]; then\n"
           "    compadd -- $flags "
         + long_options(root)
         + "\n"
           "  elif (( CURRENT == 2 )); then\n"
           "    _describe command known\n"
           "  else\n"
           "    compadd -- $subs ${(f)\"$(greenroom list -q 2>/dev/null)\"}\n"
           "    _files\n"
           "  fi\n"
           "}\n"
           "if [[ ${funcstack[1]} == _greenroom ]]; then\n"
           "  _greenroom \"$@\"\n"
           "else\n"
           "  (( $+functions[compdef] )) || { autoload -Uz compinit && "
           "compinit }\n"
           "  compdef _greenroom greenroom\n"
           "fi\n";
}

// Between single quotes fish takes all as it is but these two.
std::string quoted_for_fish(const std::string& text) {
  std::string result = "'";
  for (char c : text) {
    if (c == '\'' || c == '\\')
      result += '\\';
    result += c;
  }
  return result + '\'';
}

// The options of a command, where `when` holds.
std::string options_for_fish(const CLI::App& of, const std::string& when) {
  auto value = [](const CLI::Option& option) {
    if (!takes_value(option))
      return "";
    return option.get_type_name() == "FILE" ? " -r -F" : " -r";
  };
  std::string result;
  for (const auto* option : of.get_options())
    for (auto& name : option->get_lnames())
      result += "complete -c greenroom" + when + " -l " + name + value(*option)
                + " -d " + quoted_for_fish(option->get_description()) + '\n';
  return result;
}

bool takes_session(const CLI::App& command) {
  return command.get_option_no_throw("session") != nullptr;
}

std::string for_fish(const CLI::App& root) {
  auto add = [](const CLI::App& sub, const std::string& when) {
    return "complete -c greenroom" + when + " -a " + sub.get_name() + " -d "
           + quoted_for_fish(sub.get_description()) + '\n';
  };
  std::string result =
    "complete -c greenroom -f\n" + options_for_fish(root, {});
  std::string of_sessions;
  for (const auto* sub : root.get_subcommands(nullptr)) {
    const auto seen = " -n '__fish_seen_subcommand_from " + sub->get_name();
    result += add(*sub, " -n __fish_use_subcommand");
    result += options_for_fish(*sub, seen + '\'');
    for (const auto* below : sub->get_subcommands(nullptr)) {
      result += add(*below, seen + '\'');
      result +=
        options_for_fish(*below, seen + "; and __fish_seen_subcommand_from "
                                   + below->get_name() + '\'');
    }
    if (takes_session(*sub))
      of_sessions += ' ' + sub->get_name();
  }
  return result + "complete -c greenroom -n '__fish_seen_subcommand_from"
         + of_sessions + "' -a '(greenroom list -q 2>/dev/null)'\n";
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
      print(*shell == "fish"  ? for_fish(set.root)
            : *shell == "zsh" ? for_zsh(set.root)
                              : for_bash(set.root));
      return exit_code::done;
    };
  });
  made->footer(
    "Example, in ~/.bashrc or ~/.zshrc:\n  source <(greenroom "
    "completion bash)\n  source <(greenroom completion zsh)\nin "
    "~/.config/fish/config.fish:\n  greenroom completion fish | source");
}

} // namespace greenroom::http::client
