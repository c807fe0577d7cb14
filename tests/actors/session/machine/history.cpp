#include "tests/actors/session/machine/history.hpp"

#include <algorithm>
#include <iostream>
#include <utility>

namespace greenroom::session::test {

namespace {

constexpr millis day = 24LL * 3600 * 1000;

session_status first_status(std::uint64_t draw) {
  switch (draw) {
    case 0:
      return session_status::active;
    case 1:
      return session_status::checking_in;
    default:
      return session_status::creating;
  }
}

} // namespace

world::world(std::uint64_t seed, bool trace)
  : random_(seed), seed_(seed), trace_(trace) {
  s_.record.id = "aaaaaaaaaaaaaaaaaaaa";
  s_.record.status = first_status(below(8));
  s_.record.created_at = now_;
  s_.record.expires_at = now_ + day / 2;
  s_.record.warned = first_warning(day / 2);
  s_.record.token_hash = "token";
  s_.record.expiry = one_in(3) ? on_expire::checkin : on_expire::rescue;
  s_.bounds.max_concurrent = 2;
  s_.bounds.max_queued = 3;
  s_.bounds.max_finished = 3;
  s_.bounds.max_lifetime = 3 * day;
  s_.setup = one_in(3) ? "make deps" : "";
  s_.installing = s_.record.status != session_status::creating && one_in(2);
  s_.roams = one_in(2);
  if (s_.installing && s_.roams)
    s_.restore = restoring::waiting;
  ending_ = s_.record.status == session_status::checking_in;
  if (one_in(16))
    feed(event::give_up{"crashed 6 times"});
  else
    feed(event::begin{});
  check();
}

// -- what may happen ----------------------------------------------------------

void world::step() {
  ++steps_;
  switch (below(11)) {
    case 0:
      jump();
      break;
    case 1:
    case 2:
      answer_job();
      break;
    case 3:
      answer_store();
      break;
    case 4:
    case 5:
      runner_does_something();
      break;
    case 6:
      announce();
      finish_some_output();
      break;
    case 7:
      answer_keeping();
      if (one_in(2))
        try_setup_again();
      break;
    default:
      ask();
  }
  check();
}

// The clock goes on, or is set. The supervisor's tick comes when it is due,
// and a late one of before may come at any time.
void world::jump() {
  if (one_in(4))
    now_ += static_cast<millis>(below(2 * day));
  else if (one_in(8))
    now_ -= static_cast<millis>(below(day));
  else
    now_ += static_cast<millis>(below(60'000));
  if ((armed_ != 0 && now_ >= armed_) || one_in(10)) {
    armed_ = 0;
    feed(event::tick{now_});
  }
  if (one_in(8))
    leave_or_stay();
  if (one_in(3))
    feed(event::look{});
  if (one_in(6))
    feed(event::pushed{"", std::to_string(below(9)), one_in(2)});
}

// As the actor does: it leaves when it has come to rest, or is made to.
void world::leave_or_stay() {
  if (s_.leaving)
    return feed(event::stay_asked{});
  auto at_once = one_in(4);
  if (is_live(s_.record.status) && (at_once || what_goes_on(s_).empty()))
    feed(event::leave_asked{at_once ? "drained" : "", now_});
}

void world::ask() {
  auto what = static_cast<request>(below(12));
  // The ends of a session are rare, or there would be little else.
  if ((what == request::checkin || what == request::terminate) && !one_in(6))
    what = request::exec;
  switch (what) {
    case request::start:
      feed(event::start_asked{open(what)});
      break;
    case request::extend:
      feed(event::extend_asked{open(what), static_cast<millis>(below(2 * day)),
                               now_});
      break;
    case request::checkin: {
      event::checkin_asked x{open(what), {"key", "Ada", ""}, "done"};
      x.skip_review = one_in(2);
      x.auto_merge = one_in(2);
      x.repeat = one_in(2);
      feed(x);
      break;
    }
    case request::terminate:
      feed(event::terminate_asked{open(what), one_in(2)});
      break;
    case request::rotate:
      feed(event::rotate_asked{open(what), one_in(2) ? "token" : "other"});
      break;
    case request::transfer:
      feed(event::transfer_asked{open(what), one_in(2) ? "token" : "other"});
      break;
    case request::question:
      feed(event::question_asked{open(what)});
      break;
    default:
      ask_exec(what);
  }
  if (one_in(6))
    wait_is_over();
}

// Of anybody, also of one who has been answered.
void world::wait_is_over() {
  auto who = 1 + below(last_ticket_ + 1);
  until_end_.erase(who);
  feed(event::wait_ended{who, now_});
  if (limited_.contains(who) && one_in(2))
    feed(event::checkout_wait_over{who});
}

void world::ask_exec(request what) {
  auto id = some_exec();
  // As the actor does for one that is not at hand.
  if (auto old = archive_.find(id);
      old != archive_.end() && !s_.execs.contains(id))
    feed(event::exec_recalled{old->second});
  auto who = open(what);
  switch (what) {
    case request::cancel:
      until_end_.insert(who);
      feed(event::cancel_asked{who, id, now_});
      break;
    case request::signal:
      feed(event::signal_asked{who, id, 15});
      break;
    case request::input:
      sizes_[who] = below(max_waiting_input);
      feed(event::input_asked{who, id, sizes_[who], one_in(4)});
      break;
    case request::resize:
      feed(event::resize_asked{who, id, 24, 80});
      break;
    default: {
      exec_spec spec;
      spec.exec_id = id;
      spec.command = one_in(8) ? "false" : "true";
      spec.stdin_open = id < "d";
      spec.rows = id > "g" ? 24 : 0;
      auto until_end = one_in(2);
      if (until_end)
        until_end_.insert(who);
      feed(event::exec_asked{who, std::move(spec), now_, until_end});
    }
  }
}

// One of those under way, whichever it is.
void world::answer_job() {
  if (jobs_.empty())
    return;
  auto at = jobs_.begin() + static_cast<std::ptrdiff_t>(below(jobs_.size()));
  auto which = *at;
  jobs_.erase(at);
  auto fails = !settling_ && one_in(4);
  refusal why{errc::unavailable, "no luck"};
  switch (which) {
    case job::checkout:
      if (fails && has_turn_ && !one_in(8))
        feed(event::restore_failed{why, now_});
      else if (fails)
        feed(event::checkout_failed{why, now_});
      else
        feed(event::checkout_made{});
      break;
    case job::turn:
      has_turn_ = true;
      feed(event::turn_came{});
      break;
    case job::pause:
      feed(event::pause_over{});
      break;
    case job::install:
      if (fails)
        feed(event::checkout_install_failed{why});
      else
        feed(event::checkout_installed{now_});
      break;
    case job::start_runner:
      runner_is_there(fails);
      break;
    case job::find_runner:
      runner_is_there(one_in(2));
      break;
    case job::stop_runner:
      runner_is_gone("");
      break;
    case job::save_checkin:
      if (fails)
        feed(event::checkin_failed{why});
      else
        feed(event::checkin_saved{one_in(4) ? "" : "c0ffee", now_});
      break;
    case job::save_rescue:
      if (fails)
        feed(event::rescue_failed{"kept in x", now_});
      else
        feed(event::rescue_saved{{{"refs/x", "c1", "the files"}}, now_});
      break;
    case job::review:
      if (fails) {
        feed(event::review_refused{why, now_});
      } else {
        review_record review;
        review.id = "r1";
        feed(event::review_queued{review, now_});
      }
      break;
    case job::poll:
      feed(event::branch_polled{fails ? "" : std::to_string(below(9))});
  }
}

void world::answer_store() {
  if (!change_)
    return;
  auto change = *std::exchange(change_, std::nullopt);
  if (change.refusable && !settling_ && one_in(3)) {
    if (change.next.status == session_status::checking_in)
      ending_ = false;
    feed(event::store_refused{{errc::unavailable, "no store"}});
    return;
  }
  before_ = s_.record;
  published_ = false;
  feed(event::stored{});
}

// -- the runner ---------------------------------------------------------------

void world::runner_is_there(bool fails) {
  if (fails)
    return runner_is_gone("no luck");
  up_ = true;
  event::runner_found found;
  for (auto& [id, begun] : runs_)
    found.execs.emplace(id, begun ? now_ : 0);
  feed(std::move(found));
}

void world::runner_is_gone(const std::string& reason) {
  up_ = false;
  runs_.clear();
  to_send_.clear();
  // The link gives up what it was to write, before it says so or after.
  auto lost = std::exchange(inputs_, {});
  if (one_in(2))
    for (auto& [who, id] : lost)
      feed(event::input_taken{who, "the runner is gone"});
  feed(event::runner_gone{reason, now_});
  for (auto& [who, id] : lost)
    feed(event::input_taken{who, "the runner is gone"});
}

void world::runner_does_something() {
  if (transfers_ > 0 && one_in(4)) {
    --transfers_;
    return feed(event::transfer_over{now_});
  }
  if (!questions_.empty() && one_in(2)) {
    expect(questions_.back(), {request::question});
    questions_.pop_back();
    return feed(event::question_answered{});
  }
  if (one_in(3) && !inputs_.empty())
    return take_input();
  if (up_ && one_in(12))
    return runner_is_gone("killed");
  auto id = some_exec();
  if (to_send_.contains(id))
    send_kept(id);
  if (up_ && runs_.contains(id))
    run_exec(id);
}

// It begins, or ends, perhaps before anybody has heard that it began.
// A copy: its entry goes meanwhile.
void world::run_exec(std::string exec_id) {
  auto& begun = runs_.at(exec_id);
  if (!begun && !one_in(4)) {
    begun = true;
    return feed(event::exec_running{exec_id, now_});
  }
  auto unstarted = !begun && one_in(2);
  runs_.erase(exec_id);
  if (unstarted)
    return feed(event::start_refused{
      exec_id, {errc::bad_request, "no such program"}, now_});
  exec_outcome outcome;
  outcome.status = exec_status::exited;
  outcome.ended_at = now_;
  feed(event::exec_exited{exec_id, 1, outcome});
}

void world::take_input() {
  auto who = inputs_.begin()->first;
  inputs_.erase(inputs_.begin());
  feed(event::input_taken{who, one_in(4) ? "closed" : ""});
}

// -- the disk -----------------------------------------------------------------

// It is written, and that is yet to be heard of.
void world::send_kept(const std::string& id) {
  to_send_.erase(id);
  sent_.insert(id);
  runs_[id] = false;
}

void world::answer_keeping() {
  if (keeping_.empty())
    return;
  auto at = below(keeping_.size());
  auto id = keeping_.at(at);
  keeping_.erase(keeping_.begin() + static_cast<std::ptrdiff_t>(at));
  if (to_send_.contains(id) && one_in(2))
    send_kept(id);
  to_send_.erase(id);
  const auto sent = sent_.erase(id) > 0;
  if (!sent && !settling_ && one_in(6))
    return feed(event::exec_unkept{id, {errc::unavailable, "disk full"}, now_});
  execs_[id] = sent ? phase::spawned : phase::queued;
  feed(event::exec_kept{id, now_, sent});
}

void world::try_setup_again() {
  if (auto spec = std::exchange(setup_, std::nullopt))
    feed(event::exec_asked{0, *spec, now_});
}

void world::announce() {
  if (announcements_.empty())
    return;
  auto [id, exited] = announcements_.front();
  announcements_.pop_front();
  feed(event::exec_announced{id, exited, now_});
}

void world::finish_some_output() {
  if (draining_.empty())
    return;
  auto id = draining_.back();
  draining_.pop_back();
  exec_outcome outcome;
  outcome.status = exec_status::exited;
  outcome.ended_at = now_;
  feed(event::exec_done{id, outcome});
}

// -- to an end ----------------------------------------------------------------

// The next of all that is under way. False where nothing is.
bool world::something_goes_on() {
  if (change_)
    answer_store();
  else if (!jobs_.empty())
    answer_job();
  else if (!keeping_.empty())
    answer_keeping();
  else if (!inputs_.empty())
    take_input();
  else if (!announcements_.empty())
    announce();
  else if (!draining_.empty())
    finish_some_output();
  else if (transfers_ > 0 || !questions_.empty())
    runner_does_something();
  else if (up_ && !runs_.empty())
    run_exec(runs_.begin()->first);
  else if (setup_)
    try_setup_again();
  else
    return false;
  return true;
}

void world::settle() {
  settling_ = true;
  feed(event::stay_asked{});
  for (int rounds = 0; something_goes_on(); ++rounds) {
    require(rounds < 2000, "the session does not settle");
    check();
  }
  settling_ = false;
  std::string left;
  for (auto& [who, what] : open_)
    left += " " + std::to_string(who) + " of kind "
            + std::to_string(static_cast<int>(what));
  require(left.empty(), "requests are never answered:" + left);
  if (s_.record.status == session_status::active)
    require(armed_ == next_deadline(s_.record)
              || (armed_ == 0 && now_ >= next_deadline(s_.record)),
            "no tick is armed for the next deadline");
}

void world::finish() {
  settle();
  if (is_live(s_.record.status)) {
    feed(event::terminate_asked{open(request::terminate)});
    settle();
  }
  require(!is_live(s_.record.status), "the session does not end");
  for (int i = 0; i < 200; ++i) {
    ask();
    require(open_.empty() && jobs_.empty() && !change_,
            "a session that is over has something under way");
  }
}

// -- what the machine decides -------------------------------------------------

void world::feed(const any_event& what) {
  inbox_.push_back(what);
  if (std::exchange(advancing_, true))
    return;
  while (!inbox_.empty()) {
    auto next = std::move(inbox_.front());
    inbox_.pop_front();
    if (trace_)
      std::cerr << steps_ << ' ' << name_of(next) << '\n';
    perform(session::apply(s_, next));
  }
  advancing_ = false;
}

void world::perform(const effects& list) {
  for (auto& what : list) {
    if (trace_)
      std::cerr << "   effect " << what.index() << '\n';
    std::visit([this](auto& x) { on(x); }, what);
  }
}

// -- chance -------------------------------------------------------------------

std::uint64_t world::below(std::uint64_t limit) {
  return random_() % limit;
}

bool world::one_in(std::uint64_t n) {
  return below(n) == 0;
}

// One of a few, or a new one.
std::string world::some_exec() {
  if (one_in(10))
    return "x" + std::to_string(steps_);
  return std::string(1, static_cast<char>('a' + below(10)));
}

} // namespace greenroom::session::test
