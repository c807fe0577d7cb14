#include "http/client/errors.hpp"

#include <algorithm>
#include <cctype>
#include <iterator>

namespace greenroom::http::client {

namespace {

struct client_advice {
  std::string_view code;
  std::string_view message; // how it begins; empty: any
  std::string_view help;
};

constexpr client_advice advice_of_client[] = {
  {"BAD_REQUEST", "session is not active",
   "`greenroom create` makes another; `greenroom rescue list SESSION` shows "
   "what is kept of this one"},
  {"BAD_REQUEST", "cannot checkout protected branch",
   "take a branch of your own: `greenroom create NAME --from BRANCH`"},
  {"BAD_REQUEST", "project pod is not running",
   "an administrator starts it: `greenroom api PATCH /projects/PROJECT -d "
   "'{\"status\": \"running\"}'`"},
  {"FORBIDDEN", "",
   "`greenroom whoami` shows what the key may do; an administrator makes "
   "others by `greenroom keys create`"},
  {"NOT_FOUND", "project not found",
   "`greenroom projects` lists those that the key sees"},
  {"NOT_FOUND", "session not found",
   "`greenroom list --all` lists them, also those that are over"},
  {"NOT_FOUND", "exec not found",
   "`greenroom ps --all SESSION` lists a session's commands"},
  {"NOT_FOUND", "review not found", "`greenroom reviews` lists them"},
  {"NOT_FOUND", "webhook not found", "`greenroom webhooks` lists them"},
  {"NOT_FOUND", "delivery not found",
   "`greenroom webhooks deliveries WEBHOOK` lists them"},
  {"NOT_FOUND", "key not found", "`greenroom keys` lists them"},
  {"NOT_FOUND", "node not found", "`greenroom nodes` lists them"},
  {"NOT_FOUND", "branch not found",
   "check the name; without --branch a NAME is that of a new branch"},
  {"NOT_FOUND", "route not found",
   "is the URL the server's own, without a path? `greenroom api GET "
   "/openapi.json` has every route"},
  {"NOT_FOUND", "",
   "check the id; `greenroom projects`, `greenroom list --all` and `greenroom "
   "reviews` list what there is"},
  {"SESSION_EXISTS", "",
   "`greenroom list` shows who has the places, `greenroom end SESSION` ends "
   "one; an administrator may raise max_active_sessions"},
  {"CHECKOUT_EXISTS", "",
   "`greenroom list` shows the session that has it: work there, or take "
   "another name; git cannot keep a and a/b side by side"},
  {"BRANCH_EXISTS", "",
   "take another name, or open that branch by `greenroom create --branch "
   "BRANCH`"},
  {"PROJECT_EXISTS", "",
   "take another id, or change that one by `greenroom api PATCH "
   "/projects/PROJECT -d '{…}'`"},
  {"CONFLICT", "the review is not approved",
   "`greenroom reviews approve REVIEW --merge` does both"},
  {"CONFLICT", "the review is running",
   "`greenroom reviews wait REVIEW` ends when it has"},
  {"CONFLICT", "the review is over",
   "`greenroom reviews show REVIEW` shows what became of it"},
  {"CONFLICT", "the exec has ended",
   "`greenroom logs SESSION EXEC` shows what it has printed"},
  {"CONFLICT", "the exec has no terminal",
   "`greenroom logs -f SESSION EXEC` shows what it prints"},
  {"CONFLICT", "", "look at it again: how it is now does not allow this"},
  {"TIMEOUT", "",
   "it may be done all the same: `greenroom list` and `greenroom ps SESSION` "
   "show how things are, then try again"},
  {"OVERLOADED", "", "try again a little later"},
  {"RATE_LIMITED", "",
   "wait as long as it says, or end what it names; an administrator may raise "
   "the limit"},
  {"UNAVAILABLE", "this node serves no previews",
   "an administrator sets preview.listen; `greenroom forward SESSION PORT` "
   "reaches the port without it"},
  {"UNAVAILABLE", "",
   "try again a little later; if it goes on, `greenroom api GET /readyz` says "
   "what the server lacks"},
};

struct field_option {
  std::string_view field;
  std::string_view option;
};

constexpr field_option options_of_fields[] = {
  {"expires_in", "the duration"},      {"from_ref", "--from"},
  {"on_expire", "--on-expire"},        {"feature_slug", "--slug"},
  {"new_branch", "the new branch"},    {"preview_port", "--preview-port"},
  {"skip_review", "--skip-review"},    {"auto_merge", "--merge"},
  {"commit_message", "--message"},     {"until must", "--for must"},
  {"GET /nodes", "`greenroom nodes`"},
};

bool is_of_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

} // namespace

std::string in_options(std::string sentence) {
  for (auto& [field, option] : options_of_fields)
    for (auto at = sentence.find(field); at != sentence.npos;
         at = sentence.find(field, at)) {
      const auto end = at + field.size();
      const auto alone =
        (at == 0 || !is_of_word(sentence[at - 1]))
        && (end == sentence.size() || !is_of_word(sentence[end]));
      if (alone)
        sentence.replace(at, field.size(), option);
      at += alone ? option.size() : field.size();
    }
  return sentence;
}

std::string_view api_error::next_step() const noexcept {
  auto found =
    std::ranges::find_if(advice_of_client, [this](const client_advice& one) {
      return one.code == code_
             && std::string_view{what()}.starts_with(one.message);
    });
  return found == std::end(advice_of_client) ? std::string_view{} : found->help;
}

int api_error::exit_code() const noexcept {
  switch (status_) {
    case 400:
      // Words that the server does not take; how a session or project is has a
      // next step, and without a code it is somebody else's word.
      return code_.empty() || !next_step().empty() ? exit_code::failed
                                                   : exit_code::usage;
    case 401:
    case 403:
      return exit_code::not_allowed;
    case 404:
      // Without a code it is not the server's word, but somebody else's.
      return code_.empty() ? exit_code::unavailable : exit_code::not_found;
    case 409:
      return exit_code::conflict;
    case 429:
    case 502:
    case 503:
      return exit_code::unavailable;
    case 504:
      return exit_code::timed_out;
    default:
      return exit_code::failed;
  }
}

} // namespace greenroom::http::client
