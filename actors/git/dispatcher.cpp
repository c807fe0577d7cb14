#include "actors/git/dispatcher.hpp"

#include "actors/base/error_boundary.hpp"
#include "actors/base/worker_pool.hpp"
#include "actors/git/question_turns.hpp"

#include <algorithm>
#include <optional>
#include <type_traits>
#include <utility>

namespace greenroom {

namespace {

using work_ptr = std::shared_ptr<git_service>;
using gate_ptr = std::shared_ptr<const lease_gate>;
using dispatcher_pointer = git_actor::stateful_pointer<git_dispatcher_state>;

// Longer than any work may take; its own limits come first. The longest are 10
// minutes for a session's save and 16 for the import of what that made, both
// twice where a rescue does without the repositories inside, and 12 for a push.
constexpr std::chrono::minutes work_timeout{60};

// How long a question waits for news of the upstream.
constexpr std::chrono::seconds news_wait{3};

template <class Reply, class Request>
auto blocking(const work_ptr& work, const char* what) {
  return [work, what](const Request& request) -> caf::result<Reply> {
    return guarded(what, [&] { return work->run(request); });
  };
}

// Looks at the gate when nothing is waited for any more, not even a thread.
template <class Reply, class Request>
auto moving_refs(const work_ptr& work, const gate_ptr& gate, const char* what) {
  return [run = blocking<Reply, Request>(work, what),
          gate](const Request& request) -> caf::result<Reply> {
    if (gate && !gate->was_open_since(request.asked_at))
      return make_error(errc::unavailable, lost_touch_meanwhile);
    return run(request);
  };
}

git_actor::behavior_type worker(git_actor::pointer, const work_ptr& work,
                                const gate_ptr& gate) {
  return {
    blocking<resolved_branch, resolve_branch>(work, "looking up a branch"),
    blocking<done, make_checkout>(work, "making a checkout"),
    blocking<done, install_checkout>(work, "putting a checkout on disk"),
    moving_refs<saved_checkin, save_checkin>(work, gate, "checking in"),
    moving_refs<saved_rescue, save_rescue>(work, gate, "rescuing work"),
    blocking<done, save_checkpoint>(work, "saving a checkpoint"),
    blocking<done, drop_checkpoint>(work, "dropping a checkpoint"),
    blocking<restored_checkout, restore_checkout>(work, "restoring a checkout"),
    blocking<done, remove_checkout>(work, "removing a checkout"),
    blocking<done, remove_session_files>(work, "removing a session's files"),
    blocking<git_answer, ask_checkout>(work, "asking git in a session"),
    blocking<checkout_tip, poll_branch>(work, "looking at a session's branch"),
    blocking<found_target, find_target>(work, "looking up a target"),
    moving_refs<merge_result, merge_review>(work, gate, "merging"),
    blocking<git_answer, diff_commits>(work, "comparing commits"),
    blocking<upstream_refs, list_upstream>(work, "listing the upstream"),
    blocking<done, make_review_checkout>(work, "making a review's checkout"),
    blocking<pushed_rescues, push_rescues>(work, "pushing rescue refs"),
    blocking<done, forget_pushed>(work, "noting pushed rescue refs"),
    blocking<kept_files_list, measure_kept>(work, "measuring kept files"),
    blocking<directory_list, list_directories>(work, "listing directories"),
  };
}

git_actor::behavior_type
pool(git_actor::stateful_pointer<worker_pool<git_actor>> self,
     const work_ptr& work, const gate_ptr& gate, const pool_limits& limits,
     std::chrono::milliseconds rescue_queue_timeout) {
  auto& state = self->state;
  state.start(self, limits, [self, work, gate] {
    return self->spawn<caf::detached>(worker, work, gate);
  });
  return {state.handler<resolved_branch, resolve_branch>(),
          state.handler<done, make_checkout>(),
          state.handler<done, install_checkout>(),
          state.handler<saved_checkin, save_checkin>(),
          state.handler<saved_rescue, save_rescue>(rescue_queue_timeout),
          state.handler<done, save_checkpoint>(),
          state.handler<done, drop_checkpoint>(),
          state.handler<restored_checkout, restore_checkout>(),
          state.handler<done, remove_checkout>(),
          state.handler<done, remove_session_files>(),
          state.handler<git_answer, ask_checkout>(),
          state.handler<checkout_tip, poll_branch>(),
          state.handler<found_target, find_target>(),
          state.handler<merge_result, merge_review>(),
          state.handler<git_answer, diff_commits>(),
          state.handler<upstream_refs, list_upstream>(),
          state.handler<done, make_review_checkout>(),
          state.handler<pushed_rescues, push_rescues>(),
          state.handler<done, forget_pushed>(),
          state.handler<kept_files_list, measure_kept>(),
          state.handler<directory_list, list_directories>()};
}

// -- the queues --------------------------------------------------------------

using line_kind = git_dispatcher_state::line_kind;

// Whether a job may begin beside what goes on.
bool has_room(const git_dispatcher_state::project_queue& queue, line_kind kind,
              const git_dispatcher_state::job& next) {
  const auto& beside = queue.running;
  if (queue.busy || next.of.empty())
    return !queue.busy && beside.empty();
  const auto most = kind == line_kind::questions ? most_questions_at_once
                                                 : most_checkpoints_at_once;
  return beside.size() < most
         && std::ranges::find(beside, next.of,
                              &git_dispatcher_state::running_job::of)
              == beside.end();
}

// The first that has room; what changes something waits for all before it.
auto next_in(git_dispatcher_state::project_queue& queue, line_kind kind) {
  auto& all = queue.waiting;
  auto may_begin = [&](const auto& job) { return has_room(queue, kind, job); };
  if (kind == line_kind::questions)
    return std::ranges::find_if(all, may_begin);
  return !all.empty() && may_begin(all.front()) ? all.begin() : all.end();
}

using queue_map = decltype(git_dispatcher_state::queues);

void begin_job(git_dispatcher_state& state,
               const git_dispatcher_state::line& line,
               git_dispatcher_state::project_queue& queue,
               std::deque<git_dispatcher_state::job>::iterator next) {
  const auto now = std::chrono::steady_clock::now();
  auto job = std::move(*next);
  queue.waiting.erase(next);
  if (job.of.empty())
    queue.busy = true;
  else
    queue.running.push_back({job.of, now});
  if (line.kind == line_kind::questions)
    state.work->questions().begin(git::question_key(line.project_id, job.of));
  job.run(now - job.since);
}

bool is_unused(const git_dispatcher_state::project_queue& queue) {
  return queue.waiting.empty() && queue.running.empty() && !queue.busy;
}

// The questions of all projects.
struct all_questions {
  std::size_t free = 0; // threads
  std::vector<asking_project> asking;
  std::vector<queue_map::iterator> lines; // theirs
  std::vector<running_question> running;
  std::vector<std::string> keys; // theirs
};

all_questions questions_in(queue_map& queues, std::size_t threads) {
  all_questions result;
  std::size_t busy = 0;
  for (auto at = queues.begin(); at != queues.end(); ++at) {
    auto& [line, queue] = *at;
    if (line.kind != line_kind::questions)
      continue;
    const auto running = queue.running.size() + (queue.busy ? 1 : 0);
    busy += running;
    for (const auto& one : queue.running) {
      result.running.push_back({running, one.began});
      result.keys.push_back(git::question_key(line.project_id, one.of));
    }
    auto next = next_in(queue, line.kind);
    if (next == queue.waiting.end())
      continue;
    result.asking.push_back({running, next->since, queue.ended});
    result.lines.push_back(at);
  }
  result.free = threads - std::min(threads, busy);
  return result;
}

// The line in which a question is to begin; end(): none.
queue_map::iterator next_questions(queue_map& queues, std::size_t threads) {
  const auto all = questions_in(queues, threads);
  auto turn = next_to_ask(all.asking, all.free);
  return turn ? all.lines[*turn] : queues.end();
}

// Once all have begun that can: whether one of those has to end for another.
void hurry_questions(git_dispatcher_state& state) {
  const auto all = questions_in(state.queues, state.limits.workers);
  auto& limits = state.work->questions();
  const auto which = next_to_end(all.running, all.asking, all.free);
  const auto key = which ? all.keys[*which] : std::string{};
  if (key != state.hurried)
    limits.end_by(state.hurried, std::nullopt);
  if (which)
    limits.end_by(key, all.running[*which].began + state.limits.share);
  state.hurried = key;
}

// Begins what can begin. Of questions all projects share the threads.
void go_on_in(dispatcher_pointer self, const git_dispatcher_state::line& line) {
  auto& queues = self->state.queues;
  const auto is_shared = line.kind == line_kind::questions;
  for (;;) {
    auto found = is_shared ? next_questions(queues, self->state.limits.workers)
                           : queues.find(line);
    if (found == queues.end())
      break;
    auto& queue = found->second;
    auto next = next_in(queue, line.kind);
    if (next == queue.waiting.end())
      break;
    begin_job(self->state, found->first, queue, next);
  }
  if (is_shared)
    hurry_questions(self->state);
  std::erase_if(queues, [&](const auto& one) {
    return one.first.kind == line.kind && is_unused(one.second);
  });
}

// It is not under way any more.
void give_place(dispatcher_pointer self, const git_dispatcher_state::line& line,
                const std::string& of) {
  auto& queue = self->state.queues.at(line);
  if (of.empty())
    queue.busy = false;
  else
    std::erase_if(queue.running, [&](const auto& x) { return x.of == of; });
  if (line.kind == line_kind::questions)
    self->state.work->questions().end(git::question_key(line.project_id, of));
}

void ended_in(dispatcher_pointer self, const git_dispatcher_state::line& line,
              const std::string& of) {
  give_place(self, line, of);
  auto& queue = self->state.queues.at(line);
  queue.ended = std::chrono::steady_clock::now();
  // What else its session asks comes after what the project's others do.
  if (line.kind == line_kind::questions)
    std::ranges::stable_partition(queue.waiting,
                                  [&](const auto& x) { return x.of != of; });
  go_on_in(self, line);
}

template <class Request>
inline constexpr bool is_question =
  std::is_same_v<
    Request,
    ask_checkout> || std::is_same_v<Request, diff_commits> || std::is_same_v<Request, measure_kept>;

// True where it is tried however many wait, and longer: nobody tries it again.
template <class Request>
inline constexpr bool is_last_chance = std::is_same_v<Request, save_rescue>;

// How long a request may wait until its upstream is free, and then for a
// thread.
template <class Request>
std::pair<std::chrono::milliseconds, std::chrono::milliseconds>
timeouts_for(const git_limits& limits) {
  if (is_last_chance<Request>)
    return {limits.rescue_for_upstream, limits.rescue_for_thread};
  if (is_question<Request>)
    return {limits.for_questions, limits.for_thread};
  return {limits.for_upstream, limits.for_thread};
}

// Why a job whose turn has come is not to begin any more.
template <class Request>
std::optional<refusal> fault(const git_dispatcher_state& state,
                             std::chrono::steady_clock::duration waited) {
  if (waited <= timeouts_for<Request>(state.limits).first)
    return std::nullopt;
  if (is_question<Request>)
    return refusal{errc::overloaded,
                   "other questions to git took too long, try again"};
  return refusal{errc::unavailable,
                 "this project's upstream was too slow, try again"};
}

template <class Request>
bool only_looks(const Request&) {
  return std::is_same_v<
           Request, resolve_branch> || std::is_same_v<Request, list_upstream>;
}

// Who asks about a commit is about to merge it.
bool only_looks(const find_target& request) {
  return request.commit.empty();
}

template <class Request>
git_dispatcher_state::line line_of(const Request& request) {
  auto kind = only_looks(request) ? line_kind::looks : line_kind::saves;
  return {request.project.id,
          is_question<Request> ? line_kind::questions : kind};
}

// Whose threads do it, and what job::of is.
template <class Request>
std::pair<git_actor, std::string> place_of(const git_dispatcher_state& state,
                                           const Request& request) {
  return {only_looks(request) ? state.looks : state.upstream, {}};
}

std::pair<git_actor, std::string> place_of(const git_dispatcher_state& state,
                                           const save_checkpoint& request) {
  return {state.checkpoints, request.session.id};
}

std::pair<git_actor, std::string> place_of(const git_dispatcher_state& state,
                                           const ask_checkout& request) {
  return {state.questions, request.session.id};
}

std::pair<git_actor, std::string> place_of(const git_dispatcher_state& state,
                                           const diff_commits& request) {
  return {state.questions, request.to};
}

std::pair<git_actor, std::string> place_of(const git_dispatcher_state& state,
                                           const measure_kept&) {
  return {state.questions, kept_question};
}

// Has the request worked on when its turn has come. `answer` takes the reply or
// an error.
template <class Reply, class Request, class Answer>
void line_up(dispatcher_pointer self, Request& request, Answer answer) {
  const auto line = line_of(request);
  auto [workers, of] = place_of(self->state, request);
  if constexpr (requires { request.asked_at; })
    request.asked_at = steady_ms();
  auto run = [self, line, answer, to = workers, of = of,
              request = std::move(request)](auto waited) mutable {
    if (auto why = fault<Request>(self->state, waited)) {
      answer(to_error(*why));
      // That was no turn of its project's. Who has begun it goes on.
      give_place(self, line, of);
      return;
    }
    auto until_done =
      timeouts_for<Request>(self->state.limits).second + work_timeout;
    self->request(to, until_done, std::move(request))
      .then(
        [self, line, of, answer](Reply& reply) mutable {
          answer(std::move(reply));
          ended_in(self, line, of);
        },
        [self, line, of, answer](caf::error& error) mutable {
          answer(std::move(error));
          ended_in(self, line, of);
        });
  };
  self->state.queues[line].waiting.push_back(
    {std::move(run), std::chrono::steady_clock::now(), of});
  go_on_in(self, line);
}

// Of checkpoints a session asks for one at a time, and of questions for a few:
// what there may be of them is bounded by the sessions, and takes no place from
// others.
bool is_full(const git_dispatcher_state::project_queue& queue, line_kind kind,
             std::size_t limit) {
  auto counts = [kind](const git_dispatcher_state::job& x) {
    return kind == line_kind::questions || x.of.empty();
  };
  auto others = std::ranges::count_if(queue.waiting, counts);
  return static_cast<std::size_t>(others) >= limit;
}

// True where it has its place however many wait.
template <class Request>
inline constexpr bool is_always_admitted =
  is_last_chance<
    Request> || std::is_same_v<Request, save_checkpoint> || std::is_same_v<Request, ask_checkout>;

template <class Reply, class Request, class Promise>
void admit(dispatcher_pointer self, std::size_t limit, Request& request,
           Promise promise) {
  const auto line = line_of(request);
  const auto has_place =
    is_always_admitted<
      Request> || !is_full(self->state.queues[line], line.kind, limit);
  if (has_place)
    line_up<Reply>(self, request, [promise](auto what) mutable {
      promise.deliver(std::move(what));
    });
  else
    promise.deliver(make_error(
      errc::overloaded, is_question<Request>
                          ? "too many questions to git wait in this project, "
                            "try again"
                          : "too much is waiting for this project's upstream, "
                            "try again"));
}

template <class Reply, class Request>
auto in_queue(dispatcher_pointer self, std::size_t limit) {
  return [self, limit](Request& request) -> caf::result<Reply> {
    auto promise = self->make_response_promise<Reply>();
    admit<Reply>(self, limit, request, promise);
    return promise;
  };
}

// What a question asks for: the upstream as it is now. All that come while one
// looks there hear what that one does.
caf::result<found_target> news(dispatcher_pointer self, find_target& request,
                               std::size_t limit) {
  auto id = request.project.id;
  auto& waiting = self->state.news[id];
  if (waiting.size() >= limit)
    return make_error(errc::overloaded, "too many wait for the upstream");
  auto promise = self->make_response_promise<found_target>();
  waiting.push_back(promise);
  if (waiting.size() == 1)
    line_up<found_target>(self, request, [self, id](const auto& what) {
      if (auto all = self->state.news.extract(id))
        for (auto& one : all.mapped())
          one.deliver(what);
    });
  return promise;
}

auto find(dispatcher_pointer self, std::size_t limit) {
  return [self, limit, all = in_queue<found_target, find_target>(self, limit)](
           find_target& request) -> caf::result<found_target> {
    if (self->current_sender().get() == self->ctrl())
      return news(self, request, limit);
    return all(request);
  };
}

template <class Reply, class Request>
auto at_once(dispatcher_pointer self) {
  return [self](Request& request) -> caf::result<Reply> {
    return self->delegate(self->state.local, std::move(request));
  };
}

// State and merges are told beside the upstream as it is now, or where that
// takes long, as it was when it was last seen.
caf::result<git_answer> ask(dispatcher_pointer self, ask_checkout& request,
                            std::size_t limit) {
  auto promise = self->make_response_promise<git_answer>();
  if (request.what.what == git_question::diff) {
    admit<git_answer>(self, limit, request, promise);
    return promise;
  }
  find_target news{request.project, request.what.target, {}};
  auto go_on = [self, promise, limit, request = std::move(request)]() mutable {
    admit<git_answer>(self, limit, request, promise);
  };
  self->request(git_actor{self}, news_wait, std::move(news))
    .then([go_on](const found_target&) mutable { go_on(); },
          [go_on](const caf::error&) mutable { go_on(); });
  return promise;
}

} // namespace

git_actor::behavior_type git_dispatcher(dispatcher_pointer self,
                                        const work_ptr& work,
                                        const git_limits& limits,
                                        const gate_ptr& gate) {
  self->state.limits = limits;
  self->state.work = work;
  const auto queue = limits.queue;
  auto start = [=](git_actor& threads, const char* name) {
    if (!threads)
      threads =
        self->spawn<caf::linked>(pool, work, gate,
                                 pool_limits{limits.workers, limits.queue, name,
                                             work_timeout, limits.for_thread},
                                 limits.rescue_for_thread);
  };
  start(self->state.looks, "git-looks");
  start(self->state.upstream, "git-upstream");
  start(self->state.local, "git-local");
  start(self->state.questions, "git-questions");
  return {in_queue<resolved_branch, resolve_branch>(self, queue),
          at_once<done, make_checkout>(self),
          at_once<done, install_checkout>(self),
          in_queue<saved_checkin, save_checkin>(self, queue),
          in_queue<saved_rescue, save_rescue>(self, queue),
          [self, start, save = in_queue<done, save_checkpoint>(self, queue)](
            save_checkpoint& x) -> caf::result<done> {
            start(self->state.checkpoints, "git-checkpoints");
            return save(x);
          },
          in_queue<done, drop_checkpoint>(self, queue),
          // These are few at a time (actors/base/restore_turns.hpp).
          [self, start](restore_checkout& x) -> caf::result<restored_checkout> {
            start(self->state.restores, "git-restores");
            return self->delegate(self->state.restores, std::move(x));
          },
          at_once<done, remove_checkout>(self),
          at_once<done, remove_session_files>(self),
          [self, queue](ask_checkout& x) { return ask(self, x, queue); },
          at_once<checkout_tip, poll_branch>(self), find(self, queue),
          in_queue<merge_result, merge_review>(self, queue),
          in_queue<git_answer, diff_commits>(self, queue),
          in_queue<upstream_refs, list_upstream>(self, queue),
          at_once<done, make_review_checkout>(self),
          in_queue<pushed_rescues, push_rescues>(self, queue),
          at_once<done, forget_pushed>(self),
          in_queue<kept_files_list, measure_kept>(self, queue),
          at_once<directory_list, list_directories>(self)};
}

} // namespace greenroom
