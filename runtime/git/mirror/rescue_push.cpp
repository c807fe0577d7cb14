#include "runtime/git/mirror/rescue_push.hpp"

#include "messages/errors.hpp"
#include "runtime/base/files.hpp"
#include "runtime/git/common/refs.hpp"

#include <algorithm>
#include <sstream>
#include <utility>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

using ref_map = std::map<std::string, std::string>; // names to objects

// How many nodes may have kept something under one name.
constexpr int max_names = 20;

std::string at(const ref_map& all, const std::string& name) {
  auto found = all.find(name);
  return found == all.end() ? std::string{} : found->second;
}

bool was_at(const std::vector<leased_push>& all, const std::string& name) {
  return std::ranges::find(all, name, &leased_push::to) != all.end();
}

// What this node knows to be in the upstream because it has put it there.
class pushed_list {
public:
  pushed_list(const mirror& of, const std::string& session_id)
    : file_(of.path() / "greenroom-pushed" / session_id) {
    std::istringstream lines{read_file(file_).value_or("")};
    std::string id;
    std::string name;
    while (lines >> id >> name)
      refs_[name] = id;
  }
  const ref_map& refs() const noexcept {
    return refs_;
  }
  std::string at(const std::string& name) const {
    return greenroom::git::at(refs_, name);
  }
  void take(const std::vector<leased_push>& pushes,
            const std::set<std::string>& made, const ref_map& ours) {
    for (const auto& one : pushes)
      if (!made.contains(one.to))
        continue;
      else if (one.name.empty())
        refs_.erase(one.to);
      else
        refs_[one.to] = ours.at(one.name);
  }
  // On disk when it returns.
  void store() const {
    std::string text;
    for (const auto& [name, id] : refs_)
      text += id + ' ' + name + '\n';
    ensure_dir(file_.parent_path());
    write_file_atomic(file_, text, 0600, true);
  }

private:
  fs::path file_;
  ref_map refs_;
};

class ref_pusher {
public:
  ref_pusher(const mirror& from, const std::string& session_id,
             std::chrono::seconds timeout)
    : from_(from), space_(rescue_space(session_id)), timeout_(timeout),
      known_(from, session_id), ours_(from.refs_below(space_)) {}

  pushed_rescue_refs run(const std::vector<std::string>& names) {
    pushed_rescue_refs result;
    std::vector<leased_push> pushes;
    for (const auto& name : names)
      pushes.push_back({name, name, known_.at(name)});
    result.failure = push(pushes).failure;
    if (!result.failure
        || !result.failure->starts_with(mirror::upstream_refused))
      return result;
    try {
      there_ = from_.ask_upstream(space_);
    } catch (const refused& away) {
      result.failure = away.what();
      return result;
    }
    auto changed = clear(names);
    auto before = std::exchange(pushes, {});
    for (const auto& one : before)
      if (at(there_, one.name) != ours_.at(one.name)) {
        auto to = place_for(one.name);
        auto expected = there_.contains(to) ? known_.at(to) : std::string{};
        changed = changed || to != one.name || expected != one.expected;
        pushes.push_back({one.name, std::move(to), std::move(expected)});
      }
    if (!pushes.empty() && !changed)
      return result; // it would be the same once more
    auto done = push(pushes);
    result.failure = std::move(done.failure);
    for (const auto& one : pushes)
      if (one.to != one.name && done.there.contains(one.to))
        rename(one, result);
    return result;
  }

private:
  push_results push(const std::vector<leased_push>& pushes) {
    if (pushes.empty())
      return {};
    auto done = from_.push_leased(pushes, timeout_);
    if (!done.made.empty()) {
      known_.take(pushes, done.made, ours_);
      known_.store();
    }
    return done;
  }

  // Of what this node has put there that goes which stands in the way: a/b for
  // a, a for a/b. True if anything did.
  bool clear(const std::vector<std::string>& names) {
    std::vector<leased_push> old;
    for (const auto& [name, id] : known_.refs())
      if (std::ranges::any_of(names, [&, &known = name](const auto& wanted) {
            return are_beside(known, wanted);
          }))
        old.push_back({{}, name, id});
    push(old);
    return std::erase_if(there_,
                         [&](const auto& one) {
                           return known_.at(one.first).empty()
                                  && was_at(old, one.first);
                         })
           > 0;
  }

  // Nothing of another node's is there, or in the way.
  bool is_free(const std::string& name, const std::string& id) const {
    auto own = known_.at(name);
    for (const auto* all : {&there_, &ours_})
      if (auto what = at(*all, name);
          !what.empty() && what != id && what != own)
        return false;
    return std::ranges::none_of(
      there_, [&](const auto& other) { return are_beside(other.first, name); });
  }

  std::string place_for(const std::string& name) const {
    auto& id = ours_.at(name);
    auto place = name;
    for (int i = 2; !is_free(place, id) && i < max_names; ++i)
      place = space_ + std::to_string(i) + '/' + name.substr(space_.size());
    return place;
  }

  // What is under its first name in the upstream is to be found by that here
  // too.
  void rename(const leased_push& what, pushed_rescue_refs& result) {
    from_.replace_ref(what.to, ours_.at(what.name));
    from_.forget_ref(what.name);
    result.renamed[what.name] = what.to;
  }

  const mirror& from_;
  const std::string space_;
  const std::chrono::seconds timeout_;
  pushed_list known_;
  const ref_map ours_;
  ref_map there_; // as the upstream has them
};

} // namespace

std::string rescue_space(const std::string& session_id) {
  return std::string{rescue_refs} + session_id + '/';
}

pushed_rescue_refs push_rescue_refs(const mirror& from,
                                    const std::string& session_id,
                                    const std::vector<std::string>& names,
                                    std::chrono::seconds timeout) {
  return ref_pusher{from, session_id, timeout}.run(names);
}

} // namespace greenroom::git
