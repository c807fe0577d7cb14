// Sessions over all projects that a key may see.
#include "http/api/fields.hpp"
#include "http/api/handlers.hpp"
#include "http/api/owner_away.hpp"
#include "http/edge/ask.hpp"
#include "messages/errors.hpp"
#include "runtime/api_json/records.hpp"
#include "runtime/auth/scopes.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <tuple>

namespace greenroom::http::handlers {

namespace {

/// Asks each project for its page, and merges them. What a project's owner
/// cannot tell is told by the store: one node that is away spoils no list.
class gathering : public std::enable_shared_from_this<gathering> {
public:
  gathering(exchange_ptr ex, greenroom::list_sessions what)
    : ex_(std::move(ex)), what_(std::move(what)) {}

  void begin(const std::vector<std::string>& projects) {
    missing_ = projects.size();
    if (projects.empty())
      finish();
    auto self = shared_from_this();
    const on_sessions then = [self](const sessions_found& some) {
      self->add(some);
    };
    const on_no_answer failed = [self](const ask_error& why) {
      self->missed(why);
    };
    for (auto& id : projects)
      ask_for_sessions(ex_, id, what_, then, failed);
  }

private:
  struct found {
    session_entry entry;
    bool reachable = true;
  };

  void missed(const ask_error& why) {
    // A project may have been deleted since they were listed.
    if (to_refusal(why).code == errc::not_found)
      add({});
    else
      refuse_with(ex_, why);
  }

  void add(const sessions_found& some) {
    for (auto& entry : some.page.sessions)
      found_.push_back({entry, some.reachable});
    more_ = more_ || !some.page.next_cursor.empty();
    if (--missing_ == 0)
      finish();
  }

  void finish() {
    auto age = [](const found& one) {
      auto& session = one.entry.session;
      return std::tie(session.created_at, session.id);
    };
    std::ranges::sort(found_, std::greater<>{}, age);
    if (what_.limit != 0 && found_.size() > what_.limit) {
      found_.resize(what_.limit);
      more_ = true;
    }
    auto list = nlohmann::ordered_json::array();
    for (auto& one : found_)
      list.push_back(listed_session(*ex_, one.entry, one.reachable));
    // A place in this order is one in each project's, whose cursors are made
    // so.
    std::string next;
    if (more_ && !found_.empty()) {
      auto& last = found_.back().entry.session;
      next = std::to_string(last.created_at) + '-' + last.id;
    }
    ex_->reply(200, list_json("sessions", to_text(list), next));
  }

  const exchange_ptr ex_;
  const greenroom::list_sessions what_;
  std::vector<found> found_;
  std::size_t missing_ = 0; // pages
  bool more_ = false;
};

} // namespace

void list_all_sessions(const exchange_ptr& ex) {
  auto what = read_listing(query_params{ex->in.query});
  ask<project_list>(ex, ex->env.directory, ex->env.options.look_up,
                    greenroom::list_projects{},
                    [ex, what](const project_list& all) {
                      std::vector<std::string> visible;
                      for (auto& project : all.projects)
                        if (allows_project(*ex->key, project.id))
                          visible.push_back(project.id);
                      std::make_shared<gathering>(ex, what)->begin(visible);
                    });
}

} // namespace greenroom::http::handlers
