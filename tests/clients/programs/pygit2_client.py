# libgit2 as a client of a session: clone URL DIR | push DIR FILE | fetch DIR
import os
import sys

import pygit2


def clone(url, directory):
    pygit2.clone_repository(url, directory)


def push(directory, name):
    repo = pygit2.Repository(directory)
    with open(os.path.join(directory, name), "w") as file:
        file.write("by libgit2\n")
    repo.index.add(name)
    repo.index.write()
    by = pygit2.Signature("Ada", "ada@example.org")
    repo.create_commit("HEAD", by, by, "Add a file", repo.index.write_tree(),
                       [repo.head.target])
    repo.remotes["origin"].push([repo.head.name])


def fetch(directory):
    repo = pygit2.Repository(directory)
    repo.remotes["origin"].fetch()
    for branch in (repo.head.shorthand, "main"):
        print(repo.references["refs/remotes/origin/" + branch].target)


{"clone": clone, "push": push, "fetch": fetch}[sys.argv[1]](*sys.argv[2:])
