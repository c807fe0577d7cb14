#include "actors/base/restore_turns.hpp"

#include <iterator>
#include <utility>

namespace greenroom {

restore_turns::place::~place() {
  in_->leave(where_);
}

void restore_turns::place::hurry() {
  std::lock_guard guard{in_->mutex_};
  where_->urgent = true;
  in_->grant();
}

bool restore_turns::place::is_granted() const {
  std::lock_guard guard{in_->mutex_};
  return where_->granted;
}

std::unique_ptr<restore_turns::place>
restore_turns::line_up(std::string project_id, bool urgent,
                       std::function<void()> wake) {
  std::lock_guard guard{mutex_};
  line_.push_back({std::move(project_id), urgent, false, std::move(wake)});
  auto result =
    std::make_unique<place>(shared_from_this(), std::prev(line_.end()));
  grant();
  return result;
}

void restore_turns::set_busy(bool busy) {
  std::lock_guard guard{mutex_};
  if (std::exchange(busy_, busy) && !busy)
    grant();
}

void restore_turns::leave(line::iterator where) {
  std::lock_guard guard{mutex_};
  if (where->granted) {
    --granted_;
    auto of_project = granted_of_.find(where->project_id);
    if (--of_project->second == 0)
      granted_of_.erase(of_project);
  }
  line_.erase(where);
  grant();
}

// All turns count, whoever has them.
bool restore_turns::has_room(const entry& one) const {
  auto found = granted_of_.find(one.project_id);
  auto of_project = found == granted_of_.end() ? 0 : found->second;
  return granted_ < limits_.all + (one.urgent ? limits_.more_if_urgent : 0)
         && of_project
              < limits_.of_project
                  + (one.urgent ? limits_.more_of_project_if_urgent : 0);
}

void restore_turns::grant_if(bool urgent) {
  for (auto& one : line_)
    if (!one.granted && one.urgent == urgent && has_room(one)) {
      one.granted = true;
      ++granted_;
      ++granted_of_[one.project_id];
      one.wake();
    }
}

void restore_turns::grant() {
  grant_if(true);
  if (!busy_ && granted_ < limits_.all)
    grant_if(false);
}

} // namespace greenroom
