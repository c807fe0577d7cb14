#include "http/base/without_paths.hpp"

namespace greenroom::http {

namespace {

constexpr std::string_view spaces = " \t\r\n";

// What a word of a sentence can begin after, though no space is there.
constexpr std::string_view openers = " \t\r\n\"'`([{<,;=:|";

// What belongs to the sentence where a word ends with it.
constexpr std::string_view punctuation = ".,;:!?\"'`)]}>";

constexpr std::string_view quotes_and_brackets = "\"'`([{<";
constexpr std::string_view their_ends = "\"'`)]}>";

std::size_t or_end(std::size_t found, std::string_view text) {
  return found == text.npos ? text.size() : found;
}

// Where the path ends whose first slash is at `slash` of a word that begins at
// `begin`. One that has a quote or bracket to itself may hold spaces.
std::size_t end_of_path(std::string_view text, std::size_t begin,
                        std::size_t slash) {
  if (begin > 0 && begin == slash)
    if (auto kind = quotes_and_brackets.find(text[begin - 1]);
        kind != text.npos)
      if (auto end = text.find(their_ends[kind], begin); end != text.npos)
        return end;
  auto end = or_end(text.find_first_of(spaces, slash), text);
  while (end > slash + 1 && punctuation.find(text[end - 1]) != punctuation.npos)
    --end;
  return end;
}

// As "and/or": not where it may go on after a space in a path.
bool is_alternative(std::string_view word, std::string_view before) {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const auto slash = word.find_first_not_of(letters);
  return slash > 0 && slash + 1 < word.size() && word[slash] == '/'
         && word.find_first_not_of(letters, slash + 1) == word.npos
         && !before.ends_with("… ");
}

} // namespace

std::string without_paths(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const auto slash = or_end(text.find('/', at), text);
    if (slash == text.size())
      return result.append(text.substr(at));
    auto begin = slash;
    while (begin > at && openers.find(text[begin - 1]) == openers.npos)
      --begin;
    const auto end = end_of_path(text, begin, slash);
    result.append(text.substr(at, begin - at));
    const auto word = text.substr(begin, end - begin);
    result.append(is_alternative(word, result) ? word : "…");
    at = end;
  }
  return result;
}

} // namespace greenroom::http
