#include "runtime/git/session/git_answers.hpp"

#include "messages/errors.hpp"
#include "runtime/git/common/merge_tree.hpp"
#include "runtime/git/common/refs.hpp"
#include "runtime/git/mirror/handles.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <climits>
#include <cstdint>
#include <set>
#include <stdexcept>
#include <utility>

namespace greenroom::git {

namespace {

using nlohmann::json;

constexpr std::size_t max_named = 100'000;

json parse(std::string_view text) {
  auto answer = json::parse(text, nullptr, false);
  if (!answer.is_object())
    bad_answer("no JSON object");
  return answer;
}

std::string commit_id(const json& value) {
  auto text = value.get<std::string>();
  static_cast<void>(to_oid(text));
  return text;
}

std::optional<std::string> commit_or_null(const json& value) {
  if (value.is_null())
    return std::nullopt;
  return commit_id(value);
}

// As named_object has them.
bool is_work_name(std::string_view name) {
  constexpr std::string_view digits = "0123456789";
  for (std::string_view kind :
       {"heads/", "tags/", "notes/", "other/", "odd/", "nested/", "worktrees/"})
    if (name.starts_with(kind))
      return !name_fault(name.substr(kind.size()));
  if (name.starts_with("stash-")) {
    name.remove_prefix(6);
    return !name.empty() && name.size() < 10
           && name.find_first_not_of(digits) == name.npos;
  }
  return name == "stash" || name == "detached" || name == "tree"
         || name == "autostash" || name == "lfs";
}

// Of a text that names files, which may have line breaks.
std::string one_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  return sentence_of(text);
}

std::optional<std::string> optional_sentence(const json& answer,
                                             const char* key) {
  if (!answer.contains(key))
    return std::nullopt;
  return one_line(answer.at(key).get<std::string>());
}

std::vector<named_object> named_objects(const json& value) {
  if (value.size() > max_named)
    throw refused{errc::conflict, too_many_refs};
  std::vector<named_object> result;
  std::set<std::string> names;
  for (const auto& one : value) {
    auto name = one.at("name").get<std::string>();
    if (!is_work_name(name))
      bad_answer("a name");
    if (names.insert(name).second)
      result.push_back({name, commit_id(one.at("id")),
                        one_line(one.at("holds").get<std::string>())});
  }
  return result;
}

std::uint64_t count_of(const json& value) {
  if (!value.is_number_unsigned())
    bad_answer("a number");
  return value.get<std::uint64_t>();
}

// A branch that a person checked out: shown, never used as a name.
std::optional<std::string> shown_name(const json& value) {
  if (value.is_null())
    return std::nullopt;
  return sentence_of(value.get<std::string>());
}

checkout_state to_state(const json& answer) {
  checkout_state result;
  result.head = commit_or_null(answer.at("head"));
  result.branch = shown_name(answer.at("branch"));
  result.dirty_files = count_of(answer.at("dirty_files"));
  if (answer.contains("ahead")) {
    result.ahead = count_of(answer.at("ahead"));
    result.behind = count_of(answer.at("behind"));
  }
  result.operation = optional_sentence(answer, "operation");
  if (answer.contains("named"))
    result.named = named_objects(answer.at("named"));
  return result;
}

merge_forecast to_forecast(const json& answer) {
  merge_forecast result;
  result.dirty_files = count_of(answer.at("dirty_files"));
  result.commit = answer.at("commit").get<std::string>();
  if (result.commit.empty())
    return result;
  result.commit = commit_id(answer.at("commit"));
  for (const auto& path : answer.at("conflicts"))
    result.files.push_back(path.get<std::string>().substr(0, PATH_MAX));
  switch (count_of(answer.at("kind"))) {
    case static_cast<int>(merge_kind::up_to_date):
      result.answer = merge_answer::up_to_date;
      break;
    case static_cast<int>(merge_kind::fast_forward):
      result.answer = merge_answer::fast_forward;
      break;
    case static_cast<int>(merge_kind::merge):
      result.reason = sentence_of(answer.at("reason").get<std::string>());
      result.answer = result.files.empty() && result.reason.empty()
                        ? merge_answer::clean
                        : merge_answer::conflict;
      break;
    case static_cast<int>(merge_kind::unrelated):
      result.answer = merge_answer::conflict;
      result.reason = "the two have no history in common";
      break;
    default:
      bad_answer("a kind of merge");
  }
  return result;
}

saved_work to_saved_work(const json& answer, bool with_branch) {
  saved_work result;
  result.named = named_objects(answer.at("named"));
  result.note = optional_sentence(answer, "note");
  result.complete = answer.at("complete").get<bool>();
  if (with_branch)
    result.tip = commit_or_null(answer.at("tip"));
  return result;
}

// What is missing or of another type is as bad as any other answer.
template <class Read>
auto checked(std::string_view text, Read read) {
  try {
    return read(parse(text));
  } catch (const json::exception& e) {
    bad_answer(e.what());
  } catch (const std::invalid_argument& e) { // no object id
    bad_answer(e.what());
  }
}

} // namespace

void bad_answer(const std::string& what) {
  throw std::runtime_error("greenroom-git gave a bad answer: " + what);
}

std::string sentence_of(std::string_view text) {
  text = text.substr(0, std::min(text.find('\n'), max_sentence));
  std::string result{text};
  for (auto& c : result)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      c = ' ';
  return result;
}

checkout_state read_state(std::string_view text) {
  return checked(text, to_state);
}

merge_forecast read_forecast(std::string_view text) {
  return checked(text, to_forecast);
}

saved_work read_saved_work(std::string_view text, bool with_branch) {
  return checked(text, [with_branch](const json& answer) {
    return to_saved_work(answer, with_branch);
  });
}

} // namespace greenroom::git
