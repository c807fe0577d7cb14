#include "http/client/completions.hpp"

#include <CLI/CLI.hpp>

#include <set>
#include <string_view>
#include <vector>

namespace greenroom::http::client {

namespace {

std::string joined(const std::vector<std::string>& words,
                   std::string_view between) {
  std::string result;
  for (auto& word : words)
    result += (result.empty() ? "" : std::string{between}) + word;
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

/// The options of all commands whose value may be a word of its own, so that
/// the command is further on.
struct valued_options {
  std::vector<std::string> words;    // -p, --project
  std::vector<std::string> long_;    // --project
  std::vector<std::string> patterns; // with its value: --project=*, -p*
  std::vector<std::string> of_shows; // those that say how results are shown
};

valued_options valued(const CLI::App& root) {
  valued_options result;
  for (const auto* option : root.get_options()) {
    // --json has none but behind a =.
    if (!takes_value(*option) || option->check_lname("json"))
      continue;
    const auto shows = option->check_lname("output");
    auto add = [&](const std::string& word, const std::string& with_value) {
      result.words.push_back(word);
      if (shows)
        result.of_shows.push_back(word);
      else
        result.patterns.push_back(with_value);
    };
    for (auto& name : option->get_snames())
      add('-' + name, '-' + name + '*');
    for (auto& name : option->get_lnames()) {
      add("--" + name, "--" + name + "=*");
      result.long_.push_back("--" + name);
    }
  }
  return result;
}

// What bash and zsh do with the words before the cursor is the same, and nearly
// written alike: what they are called, and how they add to a list, is not.
constexpr std::string_view bash_head = R"sh(_greenroom() {
  local now=${COMP_WORDS[COMP_CWORD]} words= verb= waits= last= word
  local line=${COMP_LINE:0:COMP_POINT}
  local -a all with=()
  COMPREPLY=()
  [ "$now" != = ] || now=
  read -ra all <<<"$line"
  case $line in
    *[[:space:]]) ;;
    *) last=${all[${#all[@]}-1]}; unset "all[${#all[@]}-1]" ;;
  esac
  for word in "${all[@]:1}"; do
    word=${word//[\"\']/}
    if [ -n "$waits" ]; then
      case $waits in
        @SHOWS@) ;;
        *) with+=("$waits" "$word") ;;
      esac
      waits=
      continue
    fi
    case $word in
      --) return ;;
      @VALUED@) waits=$word ;;
      @GIVEN@) with+=("$word") ;;
      -*) ;;
      *) [ -n "$verb" ] || verb=$word ;;
    esac
  done
  case $last in
    @LONG@) waits=${last%%=*} ;;
  esac
  case $waits in
    -p|--project)
      words=$(greenroom "${with[@]}" projects -q 2>/dev/null </dev/null) ;;
    -o|--output) words="table json name" ;;
    ?*) return ;;
    *)
      case $verb in
        '') words="@COMMANDS@" ;;
)sh";

constexpr std::string_view bash_tail = R"sh(      esac
      case $now in
        -*) words="$words @OPTIONS@" ;;
        *) [ -z "$verb" ] ||
          words="$words $(greenroom "${with[@]}" list -q 2>/dev/null </dev/null)" ;;
      esac ;;
  esac
  while read -r word; do
    case $word in
      '') ;;
      "$now"*) COMPREPLY+=("$word") ;;
    esac
  done <<<"${words// /$'\n'}"
}
complete -o default -F _greenroom greenroom
)sh";

// In a file of zsh's fpath the first line says what it completes and the file
// is the function; read by `source` it has to say so itself.
constexpr std::string_view zsh_head = R"sh(#compdef greenroom
_greenroom() {
  local -a known subs flags with
  local verb waits word
  integer i
  known=(
@KNOWN@  )
  for (( i = 2; i < CURRENT; i++ )); do
    word=${(Q)words[i]}
    if [[ -n $waits ]]; then
      [[ $waits == (@SHOWS@) ]] || with+=("$waits" "$word")
      waits=
      continue
    fi
    case $word in
      (--) _files; return ;;
      (@VALUED@) waits=$word ;;
      (@GIVEN@) with+=("$word") ;;
      (-*) ;;
      (*) [[ -n $verb ]] || verb=$word ;;
    esac
  done
  case $verb in
)sh";

constexpr std::string_view zsh_tail = R"sh(  esac
  if [[ -z $waits && ${words[CURRENT]} == (@LONG@) ]]; then
    waits=${words[CURRENT]%%=*}
    compset -P '*='
  fi
  case $waits in
    (-p|--project)
      compadd -- ${(f)"$(greenroom "${with[@]}" projects -q 2>/dev/null </dev/null)"} ;;
    (-o|--output) compadd -- table json name ;;
    (?*) _files ;;
    (*)
      if [[ ${words[CURRENT]} == -* ]]; then
        compadd -- $flags @OPTIONS@
      elif [[ -z $verb ]]; then
        _describe command known
      else
        compadd -- $subs ${(f)"$(greenroom "${with[@]}" list -q 2>/dev/null </dev/null)"}
        _files
      fi ;;
  esac
}
if [[ ${funcstack[1]} == _greenroom ]]; then
  _greenroom "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
  compdef _greenroom greenroom
fi
)sh";

// fish has a condition for each word that it offers. `__greenroom_line verb`
// prints the command, without an argument what says which server and project.
constexpr std::string_view fish_head = R"sh(function __greenroom_line
    set -l line (commandline -opc)
    set -e line[1]
    set -l waits
    set -l verb
    for word in $line
        if test -n "$waits"
            contains -- $waits @SHOWS@
            or test "$argv" = verb
            or printf '%s\n' $waits $word
            set waits
            continue
        end
        switch $word
            case @VALUED@
                set waits $word
            case @GIVEN@
                test "$argv" = verb
                or printf '%s\n' $word
            case '-*'
            case '*'
                test -n "$verb"
                or set verb $word
        end
    end
    test "$argv" != verb
    or printf '%s\n' $verb
end
function __greenroom_needs_command
    test -z (__greenroom_line verb)
end
function __greenroom_seen_command_from
    contains -- (__greenroom_line verb) $argv
end
function __greenroom_ask
    greenroom (__greenroom_line) $argv -q 2>/dev/null </dev/null
end
complete -c greenroom -f
)sh";

struct replacement {
  std::string_view mark;
  std::string text;
};

std::string filled(std::string_view form,
                   const std::vector<replacement>& with) {
  std::string text{form};
  for (auto& [mark, word] : with)
    for (auto at = text.find(mark); at != text.npos;
         at = text.find(mark, at + word.size()))
      text.replace(at, mark.size(), word);
  return text;
}

/// For bash's and zsh's patterns, which are alike.
std::vector<replacement> pattern_marks(const CLI::App& root) {
  auto all = valued(root);
  auto with_value = all.long_;
  for (auto& name : with_value)
    name += "=*";
  return {{"@SHOWS@", joined(all.of_shows, "|")},
          {"@VALUED@", joined(all.words, "|")},
          {"@GIVEN@", joined(all.patterns, "|")},
          {"@LONG@", joined(with_value, "|")},
          {"@COMMANDS@", names_of(root)},
          {"@OPTIONS@", long_options(root)}};
}

// Between single quotes zsh takes all as it is but another.
std::string quoted_for_zsh(const std::string& text) {
  std::string result = "'";
  for (char c : text)
    result += c == '\'' ? std::string{"'\\''"} : std::string{c};
  return result + '\'';
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

std::string value_for_fish(const CLI::Option& option) {
  if (!takes_value(option))
    return "";
  if (option.check_lname("project"))
    return " -x -a '(__greenroom_ask projects)'";
  if (option.check_lname("output"))
    return " -x -a 'table json name'";
  return option.get_type_name() == "FILE" ? " -r -F" : " -r";
}

// The options of a command, where `when` holds.
std::string options_for_fish(const CLI::App& of, const std::string& when) {
  std::string result;
  for (const auto* option : of.get_options()) {
    std::string names;
    for (auto& name : option->get_snames())
      names += " -s " + name;
    for (auto& name : option->get_lnames())
      names += " -l " + name;
    if (!names.empty())
      result += "complete -c greenroom" + when + names + value_for_fish(*option)
                + " -d " + quoted_for_fish(option->get_description()) + '\n';
  }
  return result;
}

bool takes_session(const CLI::App& command) {
  return command.get_option_no_throw("session") != nullptr;
}

} // namespace

bool takes_value(const CLI::Option& option) {
  return option.get_positional() || option.get_items_expected_min() > 0;
}

std::string completion_for_bash(const CLI::App& root) {
  const auto marks = pattern_marks(root);
  auto result = filled(bash_head, marks);
  for (const auto* sub : root.get_subcommands(nullptr))
    result += "        " + sub->get_name() + ") words=\"" + names_of(*sub) + ' '
              + long_options(*sub) + "\" ;;\n";
  return result + filled(bash_tail, marks);
}

std::string completion_for_zsh(const CLI::App& root) {
  auto marks = pattern_marks(root);
  std::string known;
  std::string cases;
  for (const auto* sub : root.get_subcommands(nullptr)) {
    known += "    "
             + quoted_for_zsh(sub->get_name() + ':' + sub->get_description())
             + '\n';
    cases += "    (" + sub->get_name() + ") subs=(" + names_of(*sub)
             + ") flags=(" + long_options(*sub) + ") ;;\n";
  }
  marks.push_back({"@KNOWN@", known});
  return filled(zsh_head, marks) + cases + filled(zsh_tail, marks);
}

std::string completion_for_fish(const CLI::App& root) {
  auto all = valued(root);
  for (auto& pattern : all.patterns)
    pattern = quoted_for_fish(pattern);
  auto result = filled(fish_head, {{"@SHOWS@", joined(all.of_shows, " ")},
                                   {"@VALUED@", joined(all.words, " ")},
                                   {"@GIVEN@", joined(all.patterns, " ")}})
                + options_for_fish(root, {});
  auto add = [](const CLI::App& sub, const std::string& when) {
    return "complete -c greenroom" + when + " -a " + sub.get_name() + " -d "
           + quoted_for_fish(sub.get_description()) + '\n';
  };
  std::string of_sessions;
  for (const auto* sub : root.get_subcommands(nullptr)) {
    const auto seen = " -n '__greenroom_seen_command_from " + sub->get_name();
    result += add(*sub, " -n __greenroom_needs_command");
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
  return result + "complete -c greenroom -n '__greenroom_seen_command_from"
         + of_sessions + "' -a '(__greenroom_ask list)'\n";
}

} // namespace greenroom::http::client
