# dulwich as a client of a session: clone URL DIR | push DIR FILE | fetch DIR
import io
import os
import sys

from dulwich import porcelain
from dulwich.repo import Repo

AUTHOR = b"Ada <ada@example.org>"


# Of the clone's URL it keeps no password.
URL = os.environ["SESSION_URL"]


def branch_of(repo):
    return repo.refs.read_ref(b"HEAD").removeprefix(b"ref: refs/heads/")


def clone(url, directory):
    porcelain.clone(url, directory, errstream=io.BytesIO())


def push(directory, name):
    repo = Repo(directory)
    with open(os.path.join(directory, name), "w") as file:
        file.write("by dulwich\n")
    repo.stage([name.encode()])
    repo.do_commit(b"Add a file", committer=AUTHOR, author=AUTHOR)
    branch = branch_of(repo)
    porcelain.push(repo, URL, branch, outstream=io.BytesIO(),
                   errstream=io.BytesIO())


def fetch(directory):
    repo = Repo(directory)
    found = porcelain.fetch(repo, URL, errstream=io.BytesIO())
    print(found.refs[b"refs/heads/" + branch_of(repo)].decode())
    print(found.refs[b"refs/heads/main"].decode())


{"clone": clone, "push": push, "fetch": fetch}[sys.argv[1]](*sys.argv[2:])
