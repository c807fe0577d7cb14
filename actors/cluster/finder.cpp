#include "actors/cluster/finder.hpp"

#include "actors/base/error_boundary.hpp"
#include "actors/cluster/machine/drain.hpp"
#include "actors/cluster/remote_session.hpp"
#include "messages/errors.hpp"
#include "messages/moving.hpp"
#include "messages/placing.hpp"
#include "messages/uncertain.hpp"

#include <caf/actor_cast.hpp>
#include <caf/sec.hpp>
#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <type_traits>
#include <utility>

namespace greenroom {

namespace {

using finder_pointer = finder_actor::stateful_pointer<finder_state>;
using owner_lister =
  caf::typed_actor<caf::replies_to<list_owners>::with<owner_list>>;
using reader_actor =
  caf::typed_actor<caf::replies_to<list_projects>::with<project_list>>;

/// How long the store may take; the member answers from it.
constexpr std::chrono::seconds owner_timeout{5};

reader_actor::behavior_type
projects_reader(reader_actor::pointer,
                std::function<std::vector<project_record>()> read) {
  return {[read = std::move(read)](list_projects) {
    return guarded("reading the projects", [&] {
      project_list result{read()};
      std::ranges::reverse(result.projects);
      return result;
    });
  }};
}

// An answer that did not come says which node owes it, and of a change that it
// may have been made.
caf::error of_node(const std::string& node, caf::error why,
                   bool of_change = false) {
  auto refusal = to_refusal(why);
  if (why.category() == make_error(errc::internal, "").category())
    return why; // the node's own
  auto text = "node " + node + " does not answer";
  if (of_change && why != caf::sec::unexpected_message)
    text += ", and " + std::string{effect_unknown} + "; try again";
  return make_error(refusal.code == errc::timeout ? errc::unavailable
                                                  : refusal.code,
                    std::move(text));
}

template <class Message>
constexpr bool is_change = requires(const Message& x) {
  x.by;
};

// The store has the project, which its next owner has not taken up yet.
caf::error of_owner(const std::string& project, const std::string& node,
                    caf::error why) {
  if (project.empty() || to_refusal(why).message != "project not found")
    return why;
  if (node.empty())
    return make_error(errc::unavailable,
                      "project \"" + project
                        + "\" is no node's yet, try again in a moment; one "
                          "with node_labels needs a node that has them in "
                          "cluster.labels");
  return make_error(errc::unavailable, "project \"" + project
                                         + "\" is on its way to node " + node
                                         + ", try again in a moment");
}

// What is in the store: of a project's record not all travels (records.hpp).
void deliver_whole(finder_pointer self, const project_record& told,
                   caf::typed_response_promise<project_record> promise) {
  self->request(self->state.reader, owner_timeout, list_projects{})
    .then(
      [promise, told](const project_list& all) mutable {
        auto found =
          std::ranges::find(all.projects, told.id, &project_record::id);
        promise.deliver(found == all.projects.end() ? told : *found);
      },
      [promise, told](const caf::error&) mutable { promise.deliver(told); });
}

template <class Reply>
void deliver_answer(finder_pointer self, Reply& reply,
                    caf::typed_response_promise<Reply> promise) {
  if constexpr (std::is_same_v<Reply, project_record>)
    deliver_whole(self, reply, promise);
  else
    promise.deliver(reply);
}

template <class Message>
constexpr bool is_of_disk =
  std::is_same_v<Message,
                 drop_left_work> || std::is_same_v<Message, measure_left_work>;

template <class Message>
constexpr std::chrono::seconds time_for =
  is_of_disk<Message> ? disk_timeout : find_timeout;

// The directory, by the interface that has the message.
template <class Message>
auto taker(const directory_actor& directory) {
  if constexpr (std::is_same_v<Message, place_project>)
    return caf::actor_cast<placing_actor>(directory);
  else if constexpr (is_of_disk<Message>)
    return caf::actor_cast<left_work_actor>(directory);
  else
    return directory;
}

// Asks the directory of a node that is not this one.
template <class Reply, class Message>
void ask_node(finder_pointer self, const owner_record& owner, Message message,
              caf::typed_response_promise<Reply> promise) {
  self->request(self->state.options.links, owner_timeout, find_node{owner.node})
    .then(
      [self, owner, message, promise](const linked_node& there) mutable {
        self
          ->request(taker<Message>(there.directory), time_for<Message>,
                    std::move(message))
          .then(
            [self, promise](Reply& reply) mutable {
              deliver_answer<Reply>(self, reply, promise);
            },
            [promise, owner](caf::error& why) mutable {
              promise.deliver(of_owner(
                owner.project_id, owner.node,
                of_node(owner.node, std::move(why), is_change<Message>)));
            });
      },
      [promise](caf::error& why) mutable { promise.deliver(std::move(why)); });
}

template <class Reply, class Message>
void ask_own(finder_pointer self, const owner_record& owner, Message message,
             caf::typed_response_promise<Reply> promise) {
  self
    ->request(taker<Message>(self->state.options.own), time_for<Message>,
              std::move(message))
    .then([promise](Reply& reply) mutable { promise.deliver(reply); },
          [promise, owner](caf::error& why) mutable {
            promise.deliver(
              of_owner(owner.project_id, owner.node, std::move(why)));
          });
}

// Asks the directory of whoever owns the project or session.
template <class Reply, class Message>
caf::result<Reply> ask_owner(finder_pointer self, find_owner what,
                             Message message) {
  auto promise = self->make_response_promise<Reply>();
  self->request(self->state.options.member, owner_timeout, std::move(what))
    .then(
      [self, message = std::move(message),
       promise](const owner_record& owner) mutable {
        if (owner.node.empty() || owner.node == self->state.options.node)
          ask_own<Reply>(self, owner, std::move(message), promise);
        else
          ask_node<Reply>(self, owner, std::move(message), promise);
      },
      [promise](caf::error& why) mutable { promise.deliver(std::move(why)); });
  return promise;
}

// Asks the directory of the node that the message names.
template <class Reply, class Message>
caf::result<Reply> ask_named(finder_pointer self, Message message) {
  auto promise = self->make_response_promise<Reply>();
  owner_record named;
  named.node = message.node;
  if (named.node == self->state.options.node)
    ask_own<Reply>(self, named, std::move(message), promise);
  else
    ask_node<Reply>(self, named, std::move(message), promise);
  return promise;
}

caf::error no_such_session() {
  return make_error(errc::not_found, "session not found");
}

// The actor that stands for a session of another node.
session_actor stand_in(finder_pointer self, const find_session& asked,
                       const owner_record& owner, const session_actor& there) {
  auto& entry = self->state.sessions[asked.session_id];
  if (entry.handle)
    return entry.handle;
  entry.project_id = owner.project_id;
  entry.epoch = owner.epoch;
  entry.handle =
    caf::actor_cast<session_actor>(self->spawn(remote_session, there));
  self->monitor(entry.handle);
  return entry.handle;
}

// Those that were found at a node which is not the owner any more. What the
// member knows may be older than what was found.
void compare(finder_pointer self, const owner_list& now) {
  std::unordered_map<std::string, std::uint64_t> epochs;
  for (auto& owner : now.owners)
    epochs[owner.project_id] = owner.epoch;
  std::erase_if(self->state.sessions, [&](const auto& entry) {
    auto& [id, kept] = entry;
    auto epoch = epochs.find(kept.project_id);
    if (epoch == epochs.end() || epoch->second <= kept.epoch)
      return false;
    self->send_exit(kept.handle, caf::exit_reason::user_shutdown);
    return true;
  });
}

void look_at_owners(finder_pointer self) {
  self->delayed_send(self, owners_period, clock_tick{});
  if (self->state.sessions.empty())
    return;
  self
    ->request(caf::actor_cast<owner_lister>(self->state.options.member),
              owner_timeout, list_owners{})
    .then([self](const owner_list& now) { compare(self, now); },
          [](const caf::error& e) {
            spdlog::warn("it is not known whose sessions are: {}",
                         to_refusal(e).message);
          });
}

void ask_there(finder_pointer self, const owner_record& owner,
               find_session asked,
               caf::typed_response_promise<session_actor> promise) {
  self->request(self->state.options.links, owner_timeout, find_node{owner.node})
    .then(
      [self, owner, asked = std::move(asked),
       promise](const linked_node& there) mutable {
        self->request(there.directory, find_timeout, asked)
          .then(
            [self, owner, asked, promise](const session_actor& found) mutable {
              promise.deliver(stand_in(self, asked, owner, found));
            },
            [promise, owner](caf::error& why) mutable {
              promise.deliver(of_owner(owner.project_id, owner.node,
                                       of_node(owner.node, std::move(why))));
            });
      },
      [promise](caf::error& why) mutable { promise.deliver(std::move(why)); });
}

caf::result<session_actor> find(finder_pointer self,
                                const find_session& asked) {
  auto known = self->state.sessions.find(asked.session_id);
  if (known != self->state.sessions.end()) {
    auto& project = known->second.project_id;
    if (!asked.project_id.empty() && asked.project_id != project)
      return no_such_session();
    return known->second.handle;
  }
  auto promise = self->make_response_promise<session_actor>();
  self
    ->request(self->state.options.member, owner_timeout,
              find_owner{asked.project_id, asked.session_id})
    .then(
      [self, asked, promise](const owner_record& owner) mutable {
        if (owner.node.empty() || owner.node == self->state.options.node)
          ask_own<session_actor>(self, owner, std::move(asked), promise);
        else
          ask_there(self, owner, std::move(asked), promise);
      },
      [promise](caf::error& why) mutable { promise.deliver(std::move(why)); });
  return promise;
}

// A new project goes where there is most room, here if there is as much.
void place(finder_pointer self, const create_project& request,
           caf::typed_response_promise<project_record> promise) {
  self->request(self->state.options.member, owner_timeout, list_nodes{})
    .then(
      [self, request, promise](const node_list& all) mutable {
        auto& here = self->state.options.node;
        owner_record home;
        home.project_id = request.project.id;
        auto& labels = request.project.placement.labels;
        home.node = cluster::home_of_new(here, all.nodes, labels);
        if (home.node.empty())
          promise.deliver(make_error(
            errc::unavailable,
            labels.empty()
              ? "no node takes new projects: none of this node's release or a "
                "later one is ready (GET /nodes says how they are), try again"
              : "no node takes this project: none of this node's release or a "
                "later one is ready that has its node_labels in "
                "cluster.labels; start one, or leave them out"));
        else if (home.node == here)
          ask_own<project_record>(self, {}, std::move(request), promise);
        else
          ask_node<project_record>(self, home,
                                   place_project{request.project,
                                                 request.project.placement,
                                                 request.by},
                                   promise);
      },
      [promise](caf::error& why) mutable { promise.deliver(std::move(why)); });
}

caf::result<project_record> create(finder_pointer self,
                                   create_project request) {
  auto promise = self->make_response_promise<project_record>();
  auto id = request.project.id;
  self->request(self->state.options.member, owner_timeout, find_owner{id, {}})
    .then(
      [promise, id](const owner_record&) mutable {
        promise.deliver(make_error(errc::project_exists,
                                   "project \"" + id
                                     + "\" exists already; PATCH changes it"));
      },
      [self, promise, request = std::move(request)](caf::error& why) mutable {
        if (to_refusal(why).code == errc::not_found)
          place(self, request, promise);
        else
          promise.deliver(std::move(why));
      });
  return promise;
}

// What has an owner is there: a later release has written it.
void deliver_unread(finder_pointer self, const std::string& id,
                    caf::typed_response_promise<project_record> promise) {
  self->request(self->state.options.member, owner_timeout, find_owner{id, {}})
    .then(
      [promise, id](const owner_record& owner) mutable {
        promise.deliver(make_error(
          errc::unavailable,
          "project \"" + id
            + "\" has settings that this version of the program cannot read"
            + (owner.node.empty() ? "" : "; it is on node " + owner.node)));
      },
      [promise](caf::error& why) mutable { promise.deliver(std::move(why)); });
}

caf::result<project_record> read_one(finder_pointer self,
                                     const std::string& id) {
  auto promise = self->make_response_promise<project_record>();
  self->request(self->state.reader, owner_timeout, list_projects{})
    .then(
      [self, promise, id](const project_list& all) mutable {
        auto found = std::ranges::find(all.projects, id, &project_record::id);
        if (found == all.projects.end())
          deliver_unread(self, id, promise);
        else
          promise.deliver(*found);
      },
      [promise](caf::error& why) mutable { promise.deliver(std::move(why)); });
  return promise;
}

} // namespace

finder_state::~finder_state() {
  for (auto& [id, entry] : sessions)
    caf::anon_send_exit(entry.handle, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(reader, caf::exit_reason::user_shutdown);
}

finder_actor::behavior_type finder(finder_pointer self,
                                   finder_options options) {
  self->state.options = std::move(options);
  self->state.reader = self->spawn<caf::detached>(
    projects_reader, self->state.options.read_projects);
  self->set_down_handler([self](const caf::down_msg& message) {
    std::erase_if(self->state.sessions, [&](const auto& entry) {
      return entry.second.handle.address() == message.source;
    });
  });
  self->delayed_send(self, owners_period, clock_tick{});
  return {
    [self](const find_project& x) {
      return ask_owner<project_actor>(self, {x.project_id, {}}, x);
    },
    [self](const find_session& x) { return find(self, x); },
    [self](list_projects x) { return self->delegate(self->state.reader, x); },
    [self](const get_project& x) { return read_one(self, x.project_id); },
    [self](create_project& x) { return create(self, std::move(x)); },
    [self](const change_project& x) {
      return ask_owner<project_record>(self, {x.project_id, {}}, x);
    },
    [self](const delete_project& x) {
      return ask_owner<done>(self, {x.project_id, {}}, x);
    },
    [self](clock_tick) { look_at_owners(self); },
    [self](drop_left_work& x) { return ask_named<done>(self, std::move(x)); },
    [self](measure_left_work& x) {
      return ask_named<kept_files_list>(self, std::move(x));
    },
  };
}

} // namespace greenroom
