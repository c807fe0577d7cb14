// The model: what each decision of the machine may be, and what must hold.
#include "tests/actors/session/machine/history.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace greenroom::session::test {

// -- the model ----------------------------------------------------------------

ticket world::open(request what) {
  open_.emplace(++last_ticket_, what);
  return last_ticket_;
}

world::request world::close(ticket who) {
  auto found = open_.extract(who);
  require(!found.empty(), "request " + std::to_string(who)
                            + " is answered twice, or was never made");
  return found.mapped();
}

void world::expect(ticket who, std::initializer_list<request> kinds) {
  if (who == 0)
    return; // nobody has asked
  require(std::ranges::find(kinds, close(who)) != kinds.end(),
          "request " + std::to_string(who) + " gets the answer of another");
}

void world::check() {
  require(busy(s_) == change_.has_value(), "busy without a change to store");
  require(s_.unexpected == 0, "an event comes that nothing has led to");
  check_execs();
  for (auto& [id, fed] : s_.inputs)
    check_input(id, fed);
}

void world::check_execs() {
  std::uint32_t running = 0;
  std::set<std::string> queued;
  for (auto& [id, at] : execs_)
    // One that the runner is yet to be told of has left the line, too.
    if (at == phase::queued
        && std::ranges::find(s_.unsent, id) == s_.unsent.end())
      queued.insert(id);
    else if (at != phase::over)
      ++running;
  require(running == s_.running, "the count of running execs is wrong");
  require(running <= s_.bounds.max_concurrent, "too many execs run");
  require(queued == std::set(s_.waiting.begin(), s_.waiting.end())
            && queued.size() == s_.waiting.size(),
          "what waits in line is not what was queued");
  require(queued.size()
            <= std::size_t{s_.bounds.max_queued} + s_.bounds.max_concurrent,
          "too many execs wait");
  require(s_.finalized.size() <= s_.bounds.max_finished,
          "too many execs that are over are kept");
  require(s_.order.size() <= s_.execs.size(), "an exec is listed twice");
  require(is_live(s_.record.status)
            || (running == 0 && queued.empty() && s_.inputs.empty()
                && s_.keeping.empty()),
          "execs outlive their session");
}

void world::check_input(const std::string& exec_id, const exec_input& fed) {
  require(!is_over(s_.execs.at(exec_id).status),
          "input of an exec that is over");
  std::size_t requests = 0;
  std::uint64_t bytes = 0;
  auto add = [&](ticket who) {
    ++requests;
    bytes += sizes_.at(who);
  };
  for (auto& [who, id] : inputs_)
    if (id == exec_id && sizes_.contains(who))
      add(who);
  for (auto& what : s_.held)
    if (auto* held = std::get_if<effect::pass_input>(&what);
        held != nullptr && held->exec_id == exec_id)
      add(held->who);
  for (auto& early : fed.early)
    if (early.rows == 0)
      add(early.who);
  require(requests == fed.requests && bytes == fed.waiting,
          "what waits for an exec's input is counted wrong");
}

void world::require(bool holds, const std::string& what) const {
  if (!holds)
    throw broken("seed " + std::to_string(seed_) + ", step "
                 + std::to_string(steps_) + ": " + what);
}

// -- what the machine decides -------------------------------------------------

void world::add(job which) {
  if (std::ranges::find(jobs_, which) == jobs_.end())
    jobs_.push_back(which);
}

void world::on(const effect::begin_checkout&) {
  require((s_.restore != restoring::no) == has_turn_,
          "a checkout is restored out of turn");
  add(job::checkout);
}

void world::on(const effect::await_turn&) {
  require(!has_turn_, "a turn is waited for that is there");
  add(job::turn);
}

void world::on(const effect::end_turn&) {
  require(std::ranges::find(jobs_, job::checkout) == jobs_.end()
            && std::ranges::find(jobs_, job::install) == jobs_.end(),
          "a turn is given back while git is at it");
  std::erase(jobs_, job::turn);
  has_turn_ = false;
}

void world::on(const effect::pause_restore&) {
  add(job::pause);
}

void world::on(const effect::limit_wait& x) {
  require(open_.contains(x.who), "a wait is limited that is over");
  limited_.insert(x.who);
}

void world::on(const effect::finish_checkout&) {
  require(s_.record.status != session_status::creating,
          "a checkout is put in place before the session is active");
  add(job::install);
}

// Whoever was asked about the runner before says nothing more.
void world::on(const effect::start_runner&) {
  require(!up_ && !ending_, "a runner is started that must not be");
  add(job::start_runner);
}

void world::on(const effect::find_runner&) {
  add(job::find_runner);
}

void world::on(const effect::stop_runner&) {
  ending_ = true;
  std::erase(jobs_, job::start_runner);
  std::erase(jobs_, job::find_runner);
  add(job::stop_runner);
}

void world::on(const effect::begin_checkin&) {
  require_quiet();
  require(!s_.installing && !s_.unmade, "what is not there is checked in");
  add(job::save_checkin);
}

void world::on(const effect::begin_rescue&) {
  require_quiet();
  require(!s_.installing, "work is kept of a checkout that is being made");
  add(job::save_rescue);
}

void world::require_quiet() const {
  require(s_.running == 0 && runs_.empty() && draining_.empty()
            && keeping_.empty() && transfers_ == 0,
          "work is saved while something goes on");
}

void world::on(const effect::request_review&) {
  add(job::review);
}

void world::on(const effect::read_branch&) {
  require(std::ranges::find(jobs_, job::poll) == jobs_.end(),
          "git is asked twice at a time");
  add(job::poll);
}

void world::on(const effect::discard_checkout&) {
  require(!is_live(s_.record.status), "a live session's files are removed");
}

void world::on(const effect::over&) {
  require(!is_live(s_.record.status), "a live session is said to be over");
  armed_ = 0;
}

void world::on(const effect::arm& x) {
  require(x.at == next_deadline(s_.record), "a tick is armed for another time");
  armed_ = x.at;
}

void world::on(const effect::persist& x) {
  require(!change_, "two changes are stored at a time");
  require(x.next.version == s_.record.version + 1, "a version is left out");
  change_ = x;
  ending_ = ending_ || x.next.status == session_status::checking_in;
}

void world::on(const effect::publish_stored&) {
  using enum session_status;
  static const std::set<std::pair<session_status, session_status>> allowed{
    {creating, creating},      {creating, active},        {creating, failed},
    {creating, terminated},    {active, active},          {active, failed},
    {active, terminated},      {active, expired},         {active, checking_in},
    {checking_in, active},     {checking_in, ended},      {checking_in, failed},
    {checking_in, terminated}, {checking_in, checking_in}};
  require(!published_, "events are published twice");
  published_ = true;
  auto was = before_.status;
  auto is = s_.record.status;
  require(allowed.contains({was, is}), "no way leads from "
                                         + std::string{to_string(was)} + " to "
                                         + std::string{to_string(is)});
  if (was == checking_in && is == active)
    ending_ = false;
}

void world::on(const effect::publish_exec& x) {
  auto found = execs_.find(x.exec_id);
  require(found != execs_.end(), "an exec is announced that was never queued");
  auto& at = found->second;
  if (x.kind == event_kind::exec_started) {
    require(at == phase::spawned, "an exec starts that was not spawned");
    at = phase::started;
    announcements_.push_back({x.exec_id, false});
  } else {
    require(at != phase::over, "an exec ends twice");
    at = phase::over;
    archive_[x.exec_id] = s_.execs.at(x.exec_id);
    announcements_.push_back({x.exec_id, true});
  }
}

void world::on(const effect::run_setup& x) {
  if (x.later)
    setup_ = x.spec;
  else
    feed(event::exec_asked{0, x.spec, now_});
}

void world::on(const effect::keep_exec& x) {
  auto& id = x.exec.spec.exec_id;
  require(!execs_.contains(id), "an exec is queued twice");
  require(std::ranges::find(keeping_, id) == keeping_.end(),
          "an exec is written down twice at a time");
  require(!x.spawn || up_, "an exec is for a runner that is not there");
  require(!x.spawn || !s_.installing,
          "an exec is for a checkout that is not there");
  keeping_.push_back(id);
  if (x.spawn)
    to_send_.insert(id);
}

void world::on(const effect::spawn_exec& x) {
  require(up_, "an exec is given to a runner that is not there");
  require(!ending_ && s_.record.status == session_status::active,
          "an exec is started in a session that ends");
  require(!s_.installing, "an exec is started before the checkout is there");
  auto& at = execs_.at(x.exec_id);
  require(at == phase::queued, "an exec is spawned twice");
  at = phase::spawned;
  if (!settling_ && one_in(12))
    feed(
      event::start_refused{x.exec_id, {errc::unavailable, "disk full"}, now_});
  else
    runs_[x.exec_id] = false;
}

void world::on(const effect::kill_exec& x) {
  require(up_, "nobody is there to kill it");
  auto at = execs_.at(x.exec_id);
  require(at != phase::queued, "an exec is killed that was never spawned");
}

void world::on(const effect::settle_exec& x) {
  require(!runs_.contains(x.exec_id), "an exec is settled that runs");
  exec_outcome outcome;
  outcome.status = exec_status::lost;
  outcome.ended_at = now_;
  feed(event::exec_exited{x.exec_id, 0, outcome});
}

void world::on(const effect::finish_output& x) {
  require(std::ranges::find(draining_, x.exec_id) == draining_.end(),
          "an exec ends twice");
  draining_.push_back(x.exec_id);
}

void world::on(const effect::pass_signal& x) {
  require(execs_.at(x.exec_id) != phase::queued,
          "a signal goes to an exec that does not run");
}

// What finds no runner is given up by the link.
void world::on(const effect::pass_input& x) {
  require(execs_.at(x.exec_id) != phase::queued,
          "input goes to an exec that does not run");
  inputs_.emplace(x.who, x.exec_id);
}

void world::on(const effect::pass_resize& x) {
  require(execs_.at(x.exec_id) != phase::queued,
          "a size goes to an exec that does not run");
  inputs_.emplace(x.who, x.exec_id);
}

void world::on(const effect::archive_exec& x) {
  require(execs_.at(x.exec_id) == phase::over, "an exec is archived that runs");
}

void world::on(const effect::answer_refused& x) {
  require(!x.why.message.empty(), "a refusal without a reason");
  if (x.who != 0)
    close(x.who);
}

void world::on(const effect::answer_session& x) {
  require(published_ && s_.record.status != session_status::creating
            && s_.record.status != session_status::failed,
          "a session is promised that is not there");
  expect(x.who, {request::start, request::extend});
}

void world::on(const effect::answer_exec& x) {
  auto over = is_over(s_.execs.at(x.exec_id).status);
  require(over || !until_end_.contains(x.who),
          "who waits for an exec's end is answered before it");
  require(over || execs_.at(x.exec_id) == phase::started
            || std::ranges::find(s_.waiting, x.exec_id) != s_.waiting.end()
            || !x.with_output,
          "an exec's output is promised before it has begun");
  expect(x.who, {request::exec, request::signal, request::cancel});
}

void world::on(const effect::answer_input& x) {
  expect(x.who, {request::input, request::resize});
}

void world::on(const effect::answer_question& x) {
  require(!s_.installing, "git is asked about a checkout that is not there");
  questions_.push_back(x.who);
}

void world::on(const effect::answer_checkin& x) {
  require(published_ && s_.record.status == session_status::ended,
          "a check-in is confirmed that is not done");
  expect(x.who, {request::checkin});
}

void world::on(const effect::answer_token& x) {
  require(published_, "a token is given out that is not stored");
  expect(x.who, {request::rotate});
}

void world::on(const effect::answer_transfer& x) {
  require(!ending_ && !s_.installing
            && s_.record.status == session_status::active,
          "git is let in where it must not be");
  expect(x.who, {request::transfer});
  ++transfers_;
}

void world::on(const effect::answer_terminated& x) {
  require(published_ && !is_live(s_.record.status),
          "an end is confirmed that has not come");
  expect(x.who, {request::terminate});
}

void world::on(const effect::answer_noted&) {
  require(false, "nobody has said that rescue refs are pushed");
}

} // namespace greenroom::session::test
