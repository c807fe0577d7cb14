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

void world::wait_for(ticket who, const std::string& exec_id, bool until_end) {
  auto& exec = s_.execs.at(exec_id);
  auto in_line = !s_.installing
                 && std::ranges::find(s_.waiting, exec_id) != s_.waiting.end();
  if (is_over(exec.status)
      || (!until_end && (in_line || exec.status == exec_status::running)))
    expect(who, {request::exec, request::signal, request::cancel});
  else if (who != 0)
    waiters_.emplace(who, waiter{exec_id, until_end});
}

void world::wake(const std::string& exec_id, bool over) {
  std::erase_if(waiters_, [&](auto& entry) {
    auto& [who, x] = entry;
    if (x.exec_id != exec_id || (x.until_end && !over))
      return false;
    close(who);
    return true;
  });
}

void world::check() {
  require(busy(s_) == change_.has_value(), "busy without a change to store");
  require(s_.unexpected == 0, "an event comes that nothing has led to");
  std::uint32_t running = 0;
  std::set<std::string> queued;
  for (auto& [id, at] : execs_)
    if (at == phase::queued)
      queued.insert(id);
    else if (at != phase::over)
      ++running;
  require(running == s_.running, "the count of running execs is wrong");
  require(running <= s_.bounds.max_concurrent, "too many execs run");
  require(queued == std::set(s_.waiting.begin(), s_.waiting.end())
            && queued.size() == s_.waiting.size(),
          "what waits in line is not what was queued");
  require(s_.finalized.size() <= s_.bounds.max_finished,
          "too many execs that are over are kept");
  require(s_.order.size() <= s_.execs.size(), "an exec is listed twice");
  for (auto& [id, fed] : s_.inputs)
    check_input(id, fed);
  if (is_live(s_.record.status))
    return;
  require(running == 0 && queued.empty() && s_.inputs.empty(),
          "execs outlive their session");
}

void world::check_input(const std::string& exec_id, const exec_input& fed) {
  require(!is_over(s_.execs.at(exec_id).status),
          "input of an exec that is over");
  std::size_t requests = 0;
  std::uint64_t bytes = 0;
  for (auto& [who, sent] : inputs_)
    if (sent.counts && sent.exec_id == exec_id) {
      ++requests;
      bytes += sent.size;
    }
  for (auto& early : fed.early)
    if (early.rows == 0) {
      ++requests;
      bytes += sizes_[early.who];
    }
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
  add(job::checkout);
}

void world::on(const effect::finish_checkout&) {
  require(s_.record.status != session_status::creating,
          "a checkout is put in place before the session is active");
  add(job::install);
}

void world::on(const effect::stop_runner&) {
  ending_ = true;
  add(job::stop);
}

void world::on(const effect::begin_checkin&) {
  require(s_.running == 0, "a check-in is saved while something runs");
  add(job::save_checkin);
}

void world::on(const effect::begin_rescue&) {
  require(s_.running == 0, "a rescue is saved while something runs");
  add(job::save_rescue);
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
    {creating, creating},   {creating, active},   {creating, failed},
    {creating, terminated}, {active, active},     {active, failed},
    {active, terminated},   {active, expired},    {active, checking_in},
    {checking_in, active},  {checking_in, ended}, {checking_in, failed}};
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
  if (x.kind == event_kind::exec_queued) {
    require(found == execs_.end(), "an exec is queued twice");
    execs_[x.exec_id] = phase::queued;
    return;
  }
  require(found != execs_.end(), "an exec is announced that was never queued");
  auto& at = found->second;
  if (x.kind == event_kind::exec_started) {
    require(at == phase::spawned, "an exec starts that was not spawned");
    at = phase::started;
    wake(x.exec_id, false);
  } else {
    require(at != phase::over, "an exec ends twice");
    at = phase::over;
    archive_[x.exec_id] = s_.execs.at(x.exec_id);
    recall_.push_back(x.exec_id);
    wake(x.exec_id, true);
  }
}

void world::on(const effect::run_setup& x) {
  feed(event::exec_asked{0, x.spec, now_});
}

void world::on(const effect::keep_exec& x) {
  if (!one_in(12))
    return;
  skip_rest_ = true;
  inbox_.push_front(
    event::exec_unkept{x.who, x.exec_id, {errc::unavailable, "disk full"}});
}

void world::on(const effect::spawn_exec& x) {
  require(!ending_ && s_.record.status == session_status::active,
          "an exec is started in a session that ends");
  require(!s_.installing, "an exec is started before the checkout is there");
  auto& at = execs_.at(x.exec_id);
  require(at == phase::queued, "an exec is spawned twice");
  at = phase::spawned;
}

void world::on(const effect::kill_exec& x) {
  auto at = execs_.at(x.exec_id);
  require(at == phase::spawned || at == phase::started,
          "an exec is killed that does not run");
}

void world::on(const effect::pass_signal& x) {
  require(execs_.at(x.exec_id) == phase::started,
          "a signal goes to an exec that does not run");
}

void world::on(const effect::pass_input& x) {
  require(execs_.at(x.exec_id) == phase::started,
          "input goes to an exec that does not run");
  inputs_.emplace(x.who, sent_input{x.exec_id, sizes_[x.who], true});
}

void world::on(const effect::pass_resize& x) {
  require(execs_.at(x.exec_id) == phase::started,
          "a size goes to an exec that does not run");
  inputs_.emplace(x.who, sent_input{x.exec_id, 0, false});
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

void world::on(const effect::answer_exec_later& x) {
  wait_for(x.who, x.exec_id, std::exchange(until_end_, false));
}

void world::on(const effect::answer_exec_ended& x) {
  wait_for(x.who, x.exec_id, true);
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
}

void world::on(const effect::answer_terminated& x) {
  require(published_ && s_.record.status == session_status::terminated,
          "an end is confirmed that has not come");
  expect(x.who, {request::terminate});
}

} // namespace greenroom::session::test
