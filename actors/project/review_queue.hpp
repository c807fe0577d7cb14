// The reviews of one project: stores each step before it counts, has the
// review command run, and merges one after the other in order of arrival.
//
// Part of the project's actor, on whose turns everything here happens. What to
// do is decided by actors/project/review_machine.hpp. After a crash the open
// reviews are read from the store and go on where they were.
#pragma once

#include "actors/base/context.hpp"
#include "actors/project/review_machine.hpp"

#include <caf/actor_addr.hpp>
#include <caf/response_promise.hpp>
#include <caf/result.hpp>
#include <caf/typed_response_promise.hpp>

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace greenroom {

struct project_state;

/// What a project also hears, from itself.
using project_core = project_actor::extend<caf::reacts_to<retry_later>>;

class review_queue {
public:
  using pointer = project_core::stateful_pointer<project_state>;
  using promise = caf::typed_response_promise<review_record>;

  explicit review_queue(pointer self) : self_(self) {}
  review_queue(const review_queue&) = delete;
  review_queue& operator=(const review_queue&) = delete;

  /// Review commands end with the project's actor: the next one, here or on
  /// another node, runs them anew.
  ~review_queue();

  /// Takes up what the store says is open.
  void recover();

  caf::result<review_record> queue(queue_review& request);
  caf::result<review_page> list(list_reviews& request);
  caf::result<review_record> get(const get_review& request);
  caf::result<review_record> decide(decide_review& request);
  caf::result<git_answer> diff(const get_review_diff& request);
  void ran(const review_ran& news);

  /// Does once more what did not work a while ago.
  void again();

  /// An actor that the project watches is gone.
  void down(const caf::actor_addr& who);

private:
  struct open_review {
    review_record review;
    std::optional<review::step> pending; // on its way to the store
    bool refused = false;                // the store did not take it yet
    bool retarget_waits = false;         // for an upstream that does not answer
    std::vector<promise> stored;         // answered when that is done
    std::vector<promise> over;           // answered when there is nothing to do
  };

  static void join(open_review& there, promise asked);
  void open(queue_review request, found_target target, promise asked);
  void reopen(review_record there, const decide_review& request, promise asked);
  void take(const std::string& id, review::step step);
  void store(const std::string& id);
  void count(const review_record& review) const;
  void perform(const std::string& id, review::action what);
  void run(const open_review& what);
  void merge_next();
  void merge(const std::string& id);
  void merge_later(const std::string& id, const std::string& why,
                   std::chrono::seconds pause);
  void merged(const std::string& id, review::step step);
  void retarget(const std::string& id);

  const project_record& rules() const;
  const node_context& context() const;

  pointer self_;
  std::map<std::string, open_review> open_;     // by review id
  std::map<caf::actor_addr, std::string> runs_; // review commands
  std::deque<std::string> merges_;              // the first one is being merged
  bool merging_ = false;
  bool merge_waits_ = false; // for an upstream that does not answer, or a lease
  bool recovery_waits_ = false; // for a store that does not answer
};

} // namespace greenroom
