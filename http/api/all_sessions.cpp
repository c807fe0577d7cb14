// Sessions over all projects that a key may see.
#include "http/api/fields.hpp"
#include "http/api/handlers.hpp"
#include "http/edge/ask.hpp"
#include "runtime/api_json/records.hpp"
#include "runtime/auth/scopes.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <tuple>

namespace greenroom::http::handlers {

namespace {

/// Asks each project for its page, and merges them.
class gathering : public std::enable_shared_from_this<gathering> {
public:
  gathering(exchange_ptr ex, greenroom::list_sessions what)
    : ex_(std::move(ex)), what_(std::move(what)) {}

  void begin(const std::vector<std::string>& projects) {
    missing_ = projects.size();
    if (projects.empty())
      finish();
    for (auto& id : projects)
      ask<project_actor>(ex_, ex_->env.directory, ex_->env.options.look_up,
                         find_project{id},
                         [self = shared_from_this()](const project_actor& p) {
                           self->ask_for_page(p);
                         });
  }

private:
  void ask_for_page(const project_actor& project) {
    ask<session_page>(
      ex_, project, ex_->env.options.ordinary, what_,
      [self = shared_from_this()](const session_page& p) { self->add(p); });
  }

  void add(const session_page& page) {
    found_.insert(found_.end(), page.sessions.begin(), page.sessions.end());
    more_ = more_ || !page.next_cursor.empty();
    if (--missing_ == 0)
      finish();
  }

  void finish() {
    auto age = [](const session_entry& entry) {
      return std::tie(entry.session.created_at, entry.session.id);
    };
    std::ranges::sort(found_, std::greater<>{}, age);
    if (what_.limit != 0 && found_.size() > what_.limit) {
      found_.resize(what_.limit);
      more_ = true;
    }
    auto list = nlohmann::ordered_json::array();
    for (auto& entry : found_)
      list.push_back(shown_session(*ex_, entry.session, entry.running_execs));
    // A place in this order is one in each project's, whose cursors are made
    // so.
    std::string next;
    if (more_ && !found_.empty())
      next = std::to_string(found_.back().session.created_at) + '-'
             + found_.back().session.id;
    ex_->reply(200, list_json("sessions", to_text(list), next));
  }

  const exchange_ptr ex_;
  const greenroom::list_sessions what_;
  std::vector<session_entry> found_;
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
