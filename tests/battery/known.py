"""What the battery is known to find, by the attack's id, each with its reason. Nothing else may be found."""
from prove import IS_ROOT

# ---- within reach in the jails of the shipped profiles -----------------------------------------------------------

# In the default jail as root: nothing. As a user, without a control group of one's own, the supervisor's sum is all
# there is: the threat model's "As a user".
EXPOSED_AS_USER = {
    "memory-sockets": "in the host's network a jail's sockets are not told from the others",
}

CODE_FROM_TMP = "compilers and tests run what they have just written: exec in /tmp and in the folder is opened"
HOST_NETWORK = "the host's network is what this profile opens"
# What a profile opens on purpose.
OPENED = {
    "build": {name: CODE_FROM_TMP for name in (
        "exec-tmp", "exec-var-tmp", "exec-here", "exec-nameless", "exec-loader", "exec-map", "exec-map-later")},
    "server": {name: HOST_NETWORK for name in (
        "netlink-links", "netlink-addresses", "netlink-neighbours", "netlink-routes", "proc-net-tcp", "proc-net-tcp6",
        "proc-net-udp", "proc-net-udp6", "proc-net-unix", "proc-net-dev", "proc-net-route", "proc-net-arp",
        "interface-address", "bind-to-interface", "resolver", "namespace-net")},
}


def exposed_in(profile):
    return {**({} if IS_ROOT else EXPOSED_AS_USER), **OPENED.get(profile, {})}


# ---- attacks that hold where nothing holds them --------------------------------------------------------------------

# Inconclusive: the control fails, too. None is known; on a busy machine a few may hang.
MOST_UNSURE = 5
# Two runs may tell different things, when something else goes on in one of them.
UNSTEADY = {
    "message-queues": "its control needs queues that another battery of the same user may hold",
}
