// Which exec, review or key a command means: by its id, or a prefix of it that
// no other has.
//
// A whole id is taken as it is. A word that none begins with is left to the
// server, which has its own words for what is not there.
#pragma once

#include "http/client/session_choice.hpp"

#include <boost/asio/awaitable.hpp>
#include <nlohmann/json.hpp>

#include <string>

namespace greenroom::http::client {

/// The id of the one of `rows` that `word` means, `word` where it means none.
/// `field` has their ids. Throws usage_error where it means several.
std::string match_id(const json& rows, const char* field,
                     const std::string& word);

/// Of all that `target` lists as `list`. Throws what api_client throws, and as
/// above.
asio::awaitable<std::string> choose_id(api_client& api, std::string target,
                                       const char* list, std::string word);

/// Of a session, where a client may have given it any name. Throws as above.
asio::awaitable<std::string> choose_exec(api_client& api, session_ref session,
                                         std::string word);

struct review_ref {
  std::string project;
  std::string id;

  std::string path() const {
    return "/projects/" + escaped(project) + "/reviews/" + escaped(id);
  }
};

/// In `project`, else GREENROOM_PROJECT, else in whichever project has it.
/// Throws as above, and command_failed where there is none.
asio::awaitable<review_ref> choose_review(api_client& api, std::string project,
                                          std::string word);

} // namespace greenroom::http::client
