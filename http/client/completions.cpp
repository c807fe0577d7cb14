#include "http/client/completions.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <functional>
#include <set>
#include <string_view>
#include <utility>
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

// What it takes where that is fixed: its type ends with {a,b}.
std::vector<std::string> choices_of(const CLI::Option& option) {
  const auto type = option.get_type_name();
  std::vector<std::string> result;
  auto at = type.find('{');
  const auto end = type.find('}', at == type.npos ? 0 : at);
  if (at == type.npos || end == type.npos)
    return result;
  while (at < end) {
    const auto next = std::min(type.find(',', ++at), end);
    result.push_back(type.substr(at, next - at));
    at = next;
  }
  return result;
}

// What else stands behind a command than options: commands of its own, or what
// an argument may be.
std::string words_of(const CLI::App& of) {
  auto result = names_of(of);
  for (const auto* option : of.get_options()) {
    if (!option->get_positional())
      continue;
    auto words = option->check_name("command")
                   ? names_of(*of.get_parent())
                   : joined(choices_of(*option), " ");
    if (!words.empty())
      result += (result.empty() ? "" : " ") + words;
  }
  return result;
}

// The commands that list what its arguments may be.
std::vector<std::string> listings_for(const CLI::App& of) {
  constexpr std::pair<const char*, const char*> listings[] = {
    {"session", "list"},     {"exec", "ps"},  {"review", "reviews"},
    {"webhook", "webhooks"}, {"key", "keys"}, {"node", "nodes"}};
  std::vector<std::string> result;
  for (auto& [argument, listing] : listings)
    if (const auto* option = of.get_option_no_throw(argument);
        option != nullptr && option->get_positional())
      result.emplace_back(listing);
  return result;
}

/// For each command what `line` says of it, where it takes what is listed:
/// behind a verb alone `word` is whatever comes next.
std::string
lines_of_listings(const CLI::App& root,
                  const std::function<std::string(
                    const std::string& verb, const std::string& word,
                    const std::vector<std::string>& listings)>& line) {
  std::string result;
  for (const auto* verb : root.get_subcommands(nullptr)) {
    for (const auto* below : verb->get_subcommands(nullptr))
      if (auto all = listings_for(*below); !all.empty())
        result += line(verb->get_name(), below->get_name(), all);
    if (auto all = listings_for(*verb); !all.empty())
      result += line(verb->get_name(), {}, all);
  }
  return result;
}

/// For each option of a verb, or a command below it, whose values are fixed
/// what `line` says of it.
std::string lines_of_choices(
  const CLI::App& root,
  const std::function<std::string(const std::string& verb,
                                  const std::string& option,
                                  const std::string& choices)>& line) {
  std::string result;
  auto add = [&](const std::string& verb, const CLI::App& of) {
    for (const auto* option : of.get_options())
      if (auto all = choices_of(*option); !all.empty())
        for (auto& name : option->get_lnames())
          result += line(verb, "--" + name, joined(all, " "));
  };
  for (const auto* verb : root.get_subcommands(nullptr)) {
    add(verb->get_name(), *verb);
    for (const auto* below : verb->get_subcommands(nullptr))
      add(verb->get_name(), *below);
  }
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
  local now=${COMP_WORDS[COMP_CWORD]} words= verb= sub= waits= last= word
  local line=${COMP_LINE:0:COMP_POINT} choices= asks= ask
  local -a all with=() more
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
      *) if [ -z "$verb" ]; then verb=$word; else sub=${sub:-$word}; fi ;;
    esac
  done
  case "$verb ${all[${#all[@]}-1]}" in
@CHOICES@  esac
  case "$verb $sub" in
@LISTINGS@  esac
  case $last in
    @LONG@) waits=${last%%=*} ;;
  esac
  case $waits in
    -p|--project)
      words=$(greenroom "${with[@]}" projects -q 2>/dev/null </dev/null) ;;
    -o|--output) words="table json name" ;;
    ?*) return ;;
    *)
      [ -z "$choices" ] || verb=@choices
      case $verb in
        @choices) words=$choices asks= ;;
        '') words="@COMMANDS@" ;;
)sh";

constexpr std::string_view bash_tail = R"sh(      esac
      case $now in
        -*) words="$words @OPTIONS@" ;;
        *)
          for ask in $asks; do
            more=()
            [ "$ask" != ps ] || more=(--all ${sub:+"$sub"})
            words="$words $(greenroom "${with[@]}" "$ask" "${more[@]}" -q 2>/dev/null </dev/null)"
          done ;;
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
  local -a known subs flags with choices asks more ids
  local verb sub waits word ask
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
      (*) if [[ -z $verb ]]; then verb=$word; else sub=${sub:-$word}; fi ;;
    esac
  done
  case "$verb ${words[CURRENT-1]}" in
@CHOICES@  esac
  case "$verb $sub" in
@LISTINGS@  esac
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
      if (( $#choices )); then
        compadd -- $choices
      elif [[ ${words[CURRENT]} == -* ]]; then
        compadd -- $flags @OPTIONS@
      elif [[ -z $verb ]]; then
        _describe command known
      else
        for ask in $asks; do
          more=()
          [[ $ask != ps ]] || more=(--all $sub)
          ids+=(${(f)"$(greenroom "${with[@]}" $ask $more -q 2>/dev/null </dev/null)"})
        done
        compadd -- $subs $ids
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
// prints the command, `sub` the word after it, without an argument what says
// which server and project.
constexpr std::string_view fish_head = R"sh(function __greenroom_line
    set -l line (commandline -opc)
    set -e line[1]
    set -l waits
    set -l verb
    set -l sub
    for word in $line
        if test -n "$waits"
            contains -- $waits @SHOWS@
            or test -n "$argv"
            or printf '%s\n' $waits $word
            set waits
            continue
        end
        switch $word
            case @VALUED@
                set waits $word
            case @GIVEN@
                test -n "$argv"
                or printf '%s\n' $word
            case '-*'
            case '*'
                if test -z "$verb"
                    set verb $word
                else if test -z "$sub"
                    set sub $word
                end
        end
    end
    test "$argv" != verb
    or printf '%s\n' $verb
    test "$argv" = sub
    and test -n "$sub"
    and printf '%s\n' $sub
end
function __greenroom_needs_command
    test -z (__greenroom_line verb)
end
function __greenroom_seen_command_from
    contains -- (__greenroom_line verb) $argv
end
function __greenroom_sub
    test (__greenroom_line verb) = $argv[1]
    and contains -- (__greenroom_line sub) $argv[2..]
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
  if (auto choices = choices_of(option); !choices.empty())
    return " -x -a '" + joined(choices, " ") + '\'';
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

std::string listings_for_fish(const CLI::App& root) {
  return lines_of_listings(root, [](const std::string& verb,
                                    const std::string& word,
                                    const std::vector<std::string>& listings) {
    auto when = word.empty() ? "'__greenroom_seen_command_from " + verb
                             : "'__greenroom_sub " + verb + ' ' + word;
    std::string result;
    for (auto& listing : listings)
      result +=
        "complete -c greenroom -n " + when + "' -a '(__greenroom_ask " + listing
        + (listing == "ps" ? " --all (__greenroom_line sub)" : "") + ")'\n";
    return result;
  });
}

// In bash's and zsh's cases, whose patterns are alike.
std::string pattern_of(const std::string& verb, const std::string& word) {
  return word.empty() ? '\'' + verb + " '*" : '\'' + verb + ' ' + word + '\'';
}

} // namespace

bool takes_value(const CLI::Option& option) {
  return option.get_positional() || option.get_items_expected_min() > 0;
}

std::string completion_for_bash(const CLI::App& root) {
  auto marks = pattern_marks(root);
  marks.push_back(
    {"@CHOICES@",
     lines_of_choices(root, [](auto& verb, auto& option, auto& choices) {
       return "    " + pattern_of(verb, option) + ") choices=\"" + choices
              + "\" ;;\n";
     })});
  marks.push_back(
    {"@LISTINGS@",
     lines_of_listings(root, [](auto& verb, auto& word, auto& listings) {
       return "    " + pattern_of(verb, word) + ") asks=\""
              + joined(listings, " ") + "\" ;;\n";
     })});
  auto result = filled(bash_head, marks);
  for (const auto* sub : root.get_subcommands(nullptr))
    result += "        " + sub->get_name() + ") words=\"" + words_of(*sub) + ' '
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
    cases += "    (" + sub->get_name() + ") subs=(" + words_of(*sub)
             + ") flags=(" + long_options(*sub) + ") ;;\n";
  }
  marks.push_back({"@KNOWN@", known});
  marks.push_back(
    {"@CHOICES@",
     lines_of_choices(root, [](auto& verb, auto& option, auto& choices) {
       return "    (" + pattern_of(verb, option) + ") choices=(" + choices
              + ") ;;\n";
     })});
  marks.push_back(
    {"@LISTINGS@",
     lines_of_listings(root, [](auto& verb, auto& word, auto& listings) {
       return "    (" + pattern_of(verb, word) + ") asks=("
              + joined(listings, " ") + ") ;;\n";
     })});
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
    const auto below = sub->get_subcommands(nullptr).empty();
    if (auto words = words_of(*sub); below && !words.empty())
      result += "complete -c greenroom" + seen + "' -a '" + words + "'\n";
  }
  return result + listings_for_fish(root);
}

} // namespace greenroom::http::client
