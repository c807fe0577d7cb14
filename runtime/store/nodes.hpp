// Nodes, their leases, and who owns which project.
//
//   nobody's ──→ owned by a node ──→ owned by the next, epoch + 1
//                (its lease holds)    (once the lease has run out)
//
// A node holds one lease, its row here, and with it all its projects: what
// lives in a project is on the project's node. All times are the database's, so
// that no two nodes have to agree on one. Whoever takes a project over holds
// the old owner's row while it looks at its lease, so a renewal goes before
// that or finds the lease gone; from then on the old owner's writes are refused
// by owner and epoch, whatever it believes.
#pragma once

#include "messages/cluster.hpp"
#include "runtime/store/connection.hpp"

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace greenroom::store {

/// What a node says of itself: node_record's fields, without what the store
/// adds (lease_left, sessions).
struct joining {
  node_record node;
  std::string home; // of its data directory: who has it goes on as this node
  millis lease = 0;
};

/// Begins a lease under a new incarnation. Refused as conflict while another
/// home's lease on that name holds. Returns how much was left of this home's
/// own, under an earlier incarnation.
millis join(connection& c, const joining& x);

/// Lengthens the lease to `lease` from now. False, with nothing changed, where
/// it has run out already or is another incarnation's: then nothing that the
/// node owned is certain any more, and it has to join again.
bool renew(connection& c, const std::string& name,
           const std::string& incarnation, millis lease, double load = 0);

/// `ready` or `draining`; false where there is no such node.
bool set_node_state(connection& c, const std::string& name, node_state state);

/// Ends a lease early, `left` from now: others need not wait for it.
void leave(connection& c, const std::string& name,
           const std::string& incarnation, millis left = 0);

/// All nodes, by name.
std::vector<node_record> nodes(connection& c);

/// By node, for how many milliseconds it has had no lease: since that ran out,
/// or since the node left. Those with a lease are not in it.
std::map<std::string, millis> lost_nodes(connection& c);

/// All projects with their owners, by id. `incarnation` is left empty.
std::vector<owner_record> owners(connection& c);

/// Who owns a project, or the project of a session.
std::optional<owner_record> owner_of(connection& c, const find_owner& what);

/// Makes `node` the owner of those of the projects that still have this owner
/// and epoch, if the owner's lease has run out (or it has left, or nobody owns
/// them) and `node`'s own holds. Their live sessions become `node`'s, each with
/// a new epoch; where the project asks for that, they are to end (see
/// lost_sessions). Returns what it has got, with the new epochs.
std::vector<owner_record> take_over(connection& c, const node_record& node,
                                    std::span<const owner_record> projects);

/// The live sessions of a project that are `node`'s only to end there: a node
/// was lost that had them, and the project asked for that then.
std::vector<lost_session> lost_sessions(connection& c,
                                        const std::string& project_id,
                                        const std::string& node);

/// Gives a project of `as` to another node that is ready; its live sessions go
/// with it. False where `as` does not own it at that epoch, or the other is not
/// ready.
bool hand_over(connection& c, const std::string& as,
               const owner_record& project, const std::string& to);

} // namespace greenroom::store
