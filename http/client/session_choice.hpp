// Which session a command means.
//
// By its id, a prefix of it that no other has, or its branch. Without a word:
// the one of the `.greenroom` file here or above, else the one on the branch of
// the git checkout one stands in.
#pragma once

#include "http/client/api_client.hpp"

#include <boost/asio/awaitable.hpp>
#include <nlohmann/json.hpp>

#include <optional>
#include <string>

namespace greenroom::http::client {

struct session_ref {
  std::string project;
  std::string id;

  std::string path() const {
    return "/projects/" + escaped(project) + "/sessions/" + escaped(id);
  }
};

/// The one of `sessions` (the API's, newest first) that `word` means. Live ones
/// come before those that are over. Throws usage_error where it means several.
std::optional<session_ref> match_session(const json& sessions,
                                         const std::string& word);

/// Whether a session is not over.
bool is_live(const json& session);

/// The project that is named, else GREENROOM_PROJECT; may be empty.
std::string project_of_user(std::string named);

/// Asks the server. `project`, else GREENROOM_PROJECT, narrows what `word` may
/// mean; both may be empty. Throws usage_error, command_failed (not found) and
/// what api_client throws.
asio::awaitable<session_ref>
choose_session(api_client& api, std::string project, std::string word);

/// Where this directory stands for a session that has ended it does so no more,
/// which is said.
void forget_choice_here(const api_client& api, const session_ref& ended);

/// All pages of a list, `field` of each. Throws what api_client throws.
asio::awaitable<json> get_all(api_client& api, std::string target,
                              const char* field);

/// The live ones of a list of sessions, newest first, without a look at those
/// that are over. Throws what api_client throws.
asio::awaitable<json> get_live_sessions(api_client& api, std::string target);

/// The ids of the projects that what is named by an id may be of: `project`,
/// else GREENROOM_PROJECT, else all that the key sees; where it may not list
/// them, that of `.greenroom`. Throws usage_error where none is known.
asio::awaitable<json> projects_to_search(api_client& api, std::string project);

/// The project that is meant where only one can be: `project`, else
/// GREENROOM_PROJECT, else that of `.greenroom`, else the only one that the key
/// sees. Throws usage_error naming the choice.
asio::awaitable<std::string> choose_project(api_client& api,
                                            std::string project);

} // namespace greenroom::http::client
