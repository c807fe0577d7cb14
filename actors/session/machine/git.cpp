// Git in a session: its token, pushes, and where its branch stands.
#include "actors/session/machine/transitions.hpp"

namespace greenroom::session {

namespace {

const refusal wrong_token{errc::unauthorized,
                          "the token is not one of a live session"};
// Above what many clients would bring about in so short a time.
constexpr std::size_t max_early_transfers = 64;

const refusal checking_in{errc::conflict, "the session is being checked in"};

// In a time that does not tell how much of it was right.
bool same_token(const std::string& a, const std::string& b) noexcept {
  if (a.empty() || a.size() != b.size())
    return false;
  unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

} // namespace

void machine::operator()(const event::rotate_asked& x) {
  if (s.record.status == session_status::checking_in)
    return refuse(x.who, checking_in);
  if (!is_live(s.record.status) || s.why != ending::none || s.leaving)
    return refuse_inactive(x.who);
  auto next = s.record;
  next.token_hash = x.token_hash;
  persist(std::move(next), {}, x.who,
          {effect::end_transfers{}, effect::answer_token{x.who}});
}

void machine::operator()(const event::transfer_asked& x) {
  if (!same_token(s.record.token_hash, x.token_hash)
      || !is_live(s.record.status))
    return refuse(x.who, wrong_token);
  if (s.why == ending::checkin)
    return refuse(x.who, checking_in);
  if (s.why != ending::none)
    return refuse(x.who, wrong_token);
  if (s.leaving)
    return refuse(x.who, on_its_way);
  if (s.record.status == session_status::creating)
    return refuse(x.who, {errc::conflict, "the session is being made"});
  if (!s.installing) {
    ++s.transfers;
    return add(effect::answer_transfer{x.who});
  }
  if (s.early_transfers.size() == max_early_transfers)
    return refuse(
      x.who, {errc::overloaded, "the session is being put on disk, try again"});
  s.early_transfers.push_back({x.who, x.token_hash});
  wait_for_checkout(x.who);
}

void machine::operator()(const event::transfer_over& x) {
  if (s.transfers == 0)
    return unexpected();
  --s.transfers;
  report_quiet(x.now);
}

void machine::operator()(const event::question_asked& x) {
  if (s.record.status != session_status::active
      && s.record.status != session_status::checking_in)
    return refuse_inactive(x.who);
  if (s.restore != restoring::no && !may_restore())
    return refuse(x.who, on_its_way);
  if (s.questions >= max_questions)
    return refuse(x.who, {errc::overloaded,
                          "too many questions to git are being answered in "
                          "this session, try again"});
  ++s.questions;
  (*this)(event::look{});
  if (!s.installing)
    return add(effect::answer_question{x.who});
  s.early_questions.push_back(x.who);
  wait_for_checkout(x.who);
}

void machine::operator()(const event::question_answered&) {
  if (s.questions == 0)
    return unexpected();
  --s.questions;
}

void machine::operator()(const event::pushed& x) {
  if (!is_live(s.record.status))
    return;
  event_fields fields{
    {"branch", s.record.branch}, {"old", x.old_commit}, {"new", x.new_commit}};
  // What the session itself pushes moves the upstream's branch and not its own.
  if (x.by.key_id == s.record.id) {
    fields["by"] = "session";
  } else {
    s.tip = x.new_commit;
    s.outdated = s.looking;
    fields["by"] = "push";
    fields["applied"] = x.applied;
  }
  if (!x.by.request_id.empty())
    fields["request_id"] = x.by.request_id;
  add(effect::publish{event_kind::git_pushed, std::move(fields)});
}

// One question at a time: what happens while it is being answered is asked
// about afterwards.
void machine::operator()(const event::look&) {
  if (!accepts_work() || s.installing)
    return;
  if (s.looking) {
    s.look_again = true;
    return;
  }
  s.looking = true;
  add(effect::read_branch{});
}

void machine::operator()(const event::branch_polled& x) {
  s.looking = false;
  auto current = !std::exchange(s.outdated, false);
  if (current && !x.commit.empty() && x.commit != s.tip
      && is_live(s.record.status)) {
    auto before = std::exchange(s.tip, x.commit);
    add(effect::publish{event_kind::git_committed,
                        {{"branch", s.record.branch},
                         {"old", before},
                         {"new", x.commit},
                         {"by", "session"}}});
  }
  if (std::exchange(s.look_again, false) || !current)
    (*this)(event::look{});
}

} // namespace greenroom::session
