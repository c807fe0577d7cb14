#include "actors/session/pending_requests.hpp"

namespace greenroom {

pending_requests::~pending_requests() {
  for (auto& [who, entry] : entries_)
    if (entry.overdue)
      count(-1);
}

pending_requests::ticket pending_requests::add(pending::request what,
                                               clock::time_point deadline) {
  entries_.emplace(++last_, held{std::move(what), deadline});
  return last_;
}

pending_requests::held pending_requests::remove(ticket who) {
  auto removed = std::move(entries_.extract(who).mapped());
  if (removed.overdue)
    count(-1);
  return removed;
}

void pending_requests::refuse(ticket who, const caf::error& why) {
  if (!contains(who))
    return;
  auto removed = remove(who);
  std::visit([&](auto& request) { request.promise.deliver(why); },
             removed.what);
}

void pending_requests::refuse_all(const caf::error& why) {
  while (!entries_.empty())
    refuse(entries_.begin()->first, why);
}

std::string pending_requests::report(held& late, clock::time_point now) {
  late.overdue = true;
  count(1);
  auto since =
    std::chrono::duration_cast<std::chrono::seconds>(now - late.deadline);
  return std::visit([](auto& request) { return std::string{request.what}; },
                    late.what)
         + " (" + std::to_string(since.count()) + " s after its deadline)";
}

void pending_requests::count(std::int64_t change) const noexcept {
  if (counter_ != nullptr)
    counter_->add(change);
}

} // namespace greenroom
