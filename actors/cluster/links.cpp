#include "actors/cluster/links.hpp"

#include "actors/cluster/basp.hpp"
#include "messages/errors.hpp"

#include <caf/io/basp_broker.hpp>
#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include <charconv>
#include <set>
#include <utility>

namespace greenroom {

namespace {

using links_pointer = full_links_actor::stateful_pointer<links_state>;
using link = links_state::link;

caf::error unreachable(const std::string& node, const std::string& trouble) {
  return make_error(errc::unavailable,
                    "node " + node + " cannot be reached"
                      + (trouble.empty() ? "" : ": " + trouble));
}

void tell_member(links_pointer self, const std::string& node,
                 const link& about) {
  if (auto& member = self->state.options.member)
    self->send(member, link_changed{node, about.incarnation,
                                    static_cast<bool>(about.directory)});
}

greet_node own_greeting(links_pointer self) {
  auto& own = self->state.options;
  return {own.node, own.incarnation, own.directory, own.registry};
}

// The other node's actors are there to be asked.
void greeted(links_pointer self, const std::string& node, link& with,
             caf::strong_actor_ptr door, const greet_node& theirs) {
  with.door = door;
  with.watched = caf::actor_cast<caf::actor_addr>(door);
  self->monitor(door);
  with.directory = theirs.directory;
  with.registry = theirs.registry;
  // A key may have been revoked while nobody could say so.
  if (auto& registry = self->state.options.registry)
    caf::anon_send(registry, share_keys{});
  with.trouble.clear();
  spdlog::info("node {} is reachable", node);
  tell_member(self, node, with);
}

// The newest link with a node, if that is still this one.
link* current(links_pointer self, const std::string& node,
              std::uint64_t number) {
  auto found = self->state.links.find(node);
  return found != self->state.links.end() && found->second.number == number
             && found->second.is_up
           ? &found->second
           : nullptr;
}

void give_up(links_pointer self, const std::string& node, std::uint64_t number,
             const caf::error& why) {
  self->state.options.mesh->cut(number, "its actors did not greet: "
                                          + self->system().render(why));
  spdlog::warn("node {} is linked with, but its actors cannot be reached: {}",
               node, self->system().render(why));
}

void greet(links_pointer self, const std::string& node, std::uint64_t number,
           const caf::strong_actor_ptr& door) {
  self
    ->request(caf::actor_cast<links_actor>(door), greeting_timeout,
              own_greeting(self))
    .then(
      [self, node, number, door](const greet_node& theirs) {
        if (auto* with = current(self, node, number))
          greeted(self, node, *with, door, theirs);
      },
      [self, node, number](const caf::error& why) {
        give_up(self, node, number, why);
      });
}

// The side that dialed asks BASP for the other's door, which the other shows.
void connect(links_pointer self, const link_up& news, unique_fd bytes) {
  auto scribe = make_scribe(self->system(), std::move(bytes));
  auto& broker = self->state.broker;
  if (!news.dialed) {
    caf::anon_send(broker, caf::publish_atom_v, std::move(scribe), door_port,
                   caf::actor_cast<caf::strong_actor_ptr>(self),
                   std::set<std::string>{});
    return;
  }
  self
    ->request(broker, greeting_timeout, caf::connect_atom_v, std::move(scribe),
              door_port)
    .then(
      [self, node = news.node, number = news.number](
        const caf::node_id&, const caf::strong_actor_ptr& door,
        const std::set<std::string>&) {
        if (door)
          greet(self, node, number, door);
        else
          give_up(self, node, number, caf::sec::no_actor_published_at_port);
      },
      [self, node = news.node, number = news.number](const caf::error& why) {
        give_up(self, node, number, why);
      });
}

void up(links_pointer self, const link_up& news) {
  auto bytes = self->state.options.mesh->take(news.number);
  if (!bytes)
    return; // it is down already
  auto& with = self->state.links[news.node];
  with = {};
  with.number = news.number;
  with.incarnation = news.incarnation;
  with.is_up = true;
  connect(self, news, std::move(bytes));
}

void down(links_pointer self, const link_down& news) {
  auto& with = self->state.links[news.node];
  if (with.number > news.number)
    return;
  with.number = news.number;
  with.is_up = false;
  with.door = nullptr;
  with.registry = nullptr;
  with.trouble = news.why;
  if (std::exchange(with.directory, nullptr)) {
    spdlog::warn("node {} cannot be reached any more: {}", news.node, news.why);
    tell_member(self, news.node, with);
  }
  // Else CAF has still handles of that node.
  if (!with.watched)
    self->state.options.mesh->release(news.number);
}

void door_down(links_pointer self, const caf::down_msg& message) {
  for (auto& [node, with] : self->state.links) {
    if (with.watched != message.source)
      continue;
    with.watched = nullptr;
    if (with.is_up)
      self->state.options.mesh->cut(with.number, "its actors went away");
    else
      self->state.options.mesh->release(with.number);
  }
}

void meet(links_pointer self, const node_list& all) {
  std::vector<peer::known_node> known;
  for (auto& node : all.nodes) {
    auto colon = node.address.rfind(':');
    if (node.name == self->state.options.node || colon == std::string::npos)
      continue;
    auto host = node.address.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']'))
      host = host.substr(1, host.size() - 2);
    std::uint16_t port = 0;
    auto* end = node.address.data() + node.address.size();
    std::from_chars(node.address.data() + colon + 1, end, port);
    known.push_back({node.name, host, port});
    self->state.links.try_emplace(node.name);
  }
  self->state.options.mesh->set_nodes(std::move(known));
}

caf::result<greet_node> answer(links_pointer self, const greet_node& theirs) {
  auto found = self->state.links.find(theirs.node);
  if (found == self->state.links.end() || !found->second.is_up
      || found->second.incarnation != theirs.incarnation)
    return make_error(errc::conflict, "node " + self->state.options.node
                                        + " has no link with this life of node "
                                        + theirs.node);
  greeted(self, theirs.node, found->second, self->current_sender(), theirs);
  return own_greeting(self);
}

link_list list(const links_state& state) {
  link_list result;
  for (auto& [node, with] : state.links)
    result.links.push_back({node, with.incarnation,
                            static_cast<bool>(with.directory), with.trouble});
  return result;
}

// From this node's member to the other's, by way of both links.
void pass_on(links_pointer self, const owners_changed& x) {
  if (x.node == self->state.options.node) {
    if (auto& member = self->state.options.member)
      self->send(caf::actor_cast<full_member_actor>(member), x);
  } else if (auto found = self->state.links.find(x.node);
             found != self->state.links.end() && found->second.directory) {
    self->send(caf::actor_cast<full_links_actor>(found->second.door), x);
  }
}

} // namespace

full_links_actor::behavior_type links(links_pointer self,
                                      links_options options) {
  self->state.options = std::move(options);
  self->state.broker = basp_broker(self->system());
  self->set_down_handler(
    [self](const caf::down_msg& message) { door_down(self, message); });
  return {
    [self](const node_list& all) { meet(self, all); },
    [self](const owners_changed& x) { pass_on(self, x); },
    [self](const find_node& request) -> caf::result<linked_node> {
      auto found = self->state.links.find(request.node);
      if (found == self->state.links.end())
        return unreachable(request.node, "");
      auto& with = found->second;
      if (!with.directory)
        return unreachable(request.node, with.trouble);
      return linked_node{request.node, with.incarnation, with.directory,
                         with.registry};
    },
    [self](find_nodes) {
      linked_nodes result;
      for (auto& [node, with] : self->state.links)
        if (with.directory)
          result.nodes.push_back(
            {node, with.incarnation, with.directory, with.registry});
      return result;
    },
    [self](list_links) { return list(self->state); },
    [self](const greet_node& theirs) { return answer(self, theirs); },
    [self](const link_up& news) { up(self, news); },
    [self](const link_down& news) { down(self, news); },
    [self](const link_trouble& news) {
      auto& with = self->state.links[news.node];
      if (!with.is_up)
        with.trouble = news.why;
    },
  };
}

peer::mesh_listener tell_links(
  const links_core& whom, const std::string& own,
  std::function<unique_fd(const std::string& node, const std::string& service)>
    serve) {
  auto tell = [to = caf::actor_cast<caf::weak_actor_ptr>(whom)](auto news) {
    if (auto living = caf::actor_cast<links_core>(to))
      caf::anon_send(living, std::move(news));
  };
  return {
    [tell](const peer::link_info& x) {
      tell(link_up{x.number, x.node, x.incarnation, x.dialed});
    },
    [tell](const peer::link_info& x, const std::string& why) {
      tell(link_down{x.number, x.node, why});
    },
    [tell](const std::string& node, const std::string& why) {
      tell(link_trouble{node, why});
    },
    std::move(serve),
    // The member's next look into the store finds it.
    [to = caf::actor_cast<caf::weak_actor_ptr>(whom), own](const std::string&) {
      if (auto living = caf::actor_cast<full_links_actor>(to))
        caf::anon_send(living, owners_changed{own});
    },
  };
}

} // namespace greenroom
