/*
 * The floor: what the kernel has to do for an ADD of bridge and host-local with IPv4 and without masquerading, when
 * the bridge is there, and nothing else. No configuration is read and no address is sought: the bridge, the network
 * and the address are arguments. It makes the changes that bridgehead makes, in the same messages, and prints a
 * result that CHECK and DEL accept.
 *
 *   CNI_CONTAINERID=… CNI_NETNS=… CNI_IFNAME=… floor BRIDGE NETWORK ADDRESS GATEWAY
 *
 * ADDRESS and GATEWAY are in a /16.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- files ---- */

static int opened(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd < 0)
		die(path);
	return fd;
}

static void write_file(const char *path, const char *text)
{
	int fd = opened(path, O_WRONLY);
	if (write(fd, text, strlen(text)) < 0)
		die(path);
	close(fd);
}

/* A lease that is there as a whole or not at all, and the hint, under the lock of the network. */
static void write_lease(const char *network, const char *address, const char *id, const char *interface)
{
	char folder[256], path[512], text[512];
	snprintf(folder, sizeof folder, "/var/lib/cni/networks/%s", network);
	int lease = opened(folder, O_RDWR | O_TMPFILE);
	int length = snprintf(text, sizeof text, "%s\r\n%s", id, interface);
	if (write(lease, text, length) != length || fsync(lease) < 0)
		die("lease");
	snprintf(path, sizeof path, "%s/lock", folder);
	int lock = opened(path, O_RDWR | O_CREAT);
	if (flock(lock, LOCK_EX) < 0)
		die("lock");
	snprintf(text, sizeof text, "/proc/self/fd/%d", lease);
	snprintf(path, sizeof path, "%s/%s", folder, address);
	if (linkat(AT_FDCWD, text, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0)
		die(path);
	snprintf(path, sizeof path, "%s/last_reserved_ip.0", folder);
	int hint = opened(path, O_WRONLY | O_CREAT);
	if (write(hint, address, strlen(address)) < 0 || ftruncate(hint, strlen(address)) < 0)
		die("hint");
	close(hint);
	close(lock);
	int directory = opened(folder, O_RDONLY | O_DIRECTORY);
	if (fsync(directory) < 0)
		die("fsync");
}

/* ---- netlink ---- */

static char buffer[8192] __attribute__((aligned(8)));
static size_t used;
static int requests;

static int netlink_socket(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), on = 1;
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
	return fd;
}

static struct nlmsghdr *message;

static void *begin(int type, int flags, size_t size)
{
	message = (void *)(buffer + used);
	memset(message, 0, NLMSG_LENGTH(size));
	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	message->nlmsg_seq = ++requests;
	message->nlmsg_len = NLMSG_LENGTH(NLMSG_ALIGN(size));
	used += message->nlmsg_len;
	return NLMSG_DATA(message);
}

static struct rtattr *put(int type, const void *data, size_t size)
{
	struct rtattr *attribute = (void *)(buffer + used);
	memset(attribute, 0, RTA_SPACE(size));
	attribute->rta_type = type;
	attribute->rta_len = RTA_LENGTH(size);
	if (size)
		memcpy(RTA_DATA(attribute), data, size);
	used += RTA_SPACE(size);
	message->nlmsg_len += RTA_SPACE(size);
	return attribute;
}

static void close_nest(struct rtattr *nest)
{
	nest->rta_len = buffer + used - (char *)nest;
}

/* Sends what was put together and takes an acknowledgement for each request. `link`, if given, gets the RTM_NEWLINK. */
static void send_all(int fd, int ignored, struct ifinfomsg *link, int *operstate)
{
	static char answer[32768] __attribute__((aligned(8)));
	if (send(fd, buffer, used, 0) != (ssize_t)used)
		die("send");
	int open = requests;
	used = requests = 0;
	while (open > 0) {
		int length = recv(fd, answer, sizeof answer, 0);
		if (length < 0)
			die("recv");
		for (struct nlmsghdr *m = (void *)answer; NLMSG_OK(m, length); m = NLMSG_NEXT(m, length)) {
			if (m->nlmsg_type == NLMSG_ERROR) {
				int error = -((struct nlmsgerr *)NLMSG_DATA(m))->error;
				if (error && error != ignored) {
					fprintf(stderr, "netlink request %u: %s\n", m->nlmsg_seq, strerror(error));
					exit(1);
				}
				open--;
			} else if (m->nlmsg_type == RTM_NEWLINK && link) {
				*link = *(struct ifinfomsg *)NLMSG_DATA(m);
				int rest = m->nlmsg_len - NLMSG_LENGTH(sizeof *link);
				for (struct rtattr *a = (void *)((char *)NLMSG_DATA(m) + NLMSG_ALIGN(sizeof *link));
				     RTA_OK(a, rest); a = RTA_NEXT(a, rest))
					if (a->rta_type == IFLA_OPERSTATE && operstate)
						*operstate = *(uint8_t *)RTA_DATA(a);
			}
		}
	}
}

static struct ifinfomsg get_link(int fd, const char *name, int *operstate)
{
	struct ifinfomsg link = { 0 };
	uint32_t mask = RTEXT_FILTER_SKIP_STATS;
	begin(RTM_GETLINK, 0, sizeof link);
	put(IFLA_IFNAME, name, strlen(name) + 1);
	put(IFLA_EXT_MASK, &mask, sizeof mask);
	send_all(fd, 0, &link, operstate);
	return link;
}

static void make_veth(int fd, const char *host, const uint8_t *host_mac, int bridge, const char *interface,
		      const uint8_t *mac, int netns)
{
	struct ifinfomsg none = { 0 };
	uint32_t master = bridge, target = netns;
	begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof none);
	put(IFLA_IFNAME, host, strlen(host) + 1);
	put(IFLA_ADDRESS, host_mac, 6);
	put(IFLA_MASTER, &master, sizeof master);
	struct rtattr *info = put(IFLA_LINKINFO | NLA_F_NESTED, NULL, 0);
	put(IFLA_INFO_KIND, "veth", 4);
	struct rtattr *data = put(IFLA_INFO_DATA | NLA_F_NESTED, NULL, 0);
	struct rtattr *peer = put(VETH_INFO_PEER | NLA_F_NESTED, &none, sizeof none);
	put(IFLA_IFNAME, interface, strlen(interface) + 1);
	put(IFLA_ADDRESS, mac, 6);
	put(IFLA_NET_NS_FD, &target, sizeof target);
	close_nest(peer);
	close_nest(data);
	close_nest(info);
	send_all(fd, 0, NULL, NULL);
}

static void host_end_up(int fd, const char *name, const char *alias)
{
	struct ifinfomsg *link = begin(RTM_NEWLINK, 0, sizeof *link);
	link->ifi_flags = link->ifi_change = IFF_UP;
	put(IFLA_IFNAME, name, strlen(name) + 1);
	put(IFLA_IFALIAS, alias, strlen(alias));
	send_all(fd, 0, NULL, NULL);
}

/* Address, up, default route: three requests in one send. */
static void container_end_up(int fd, int index, uint32_t address, uint32_t gateway)
{
	uint32_t broadcast = address | htonl(0xffff), out = index;
	struct ifaddrmsg *a = begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof *a);
	*a = (struct ifaddrmsg){ .ifa_family = AF_INET, .ifa_prefixlen = 16, .ifa_index = index };
	put(IFA_LOCAL, &address, 4);
	put(IFA_ADDRESS, &address, 4);
	put(IFA_BROADCAST, &broadcast, 4);
	struct ifinfomsg *link = begin(RTM_NEWLINK, 0, sizeof *link);
	link->ifi_index = index;
	link->ifi_flags = link->ifi_change = IFF_UP;
	struct rtmsg *route = begin(RTM_NEWROUTE, NLM_F_CREATE, sizeof *route);
	*route = (struct rtmsg){ .rtm_family = AF_INET,
				 .rtm_table = RT_TABLE_MAIN,
				 .rtm_protocol = RTPROT_BOOT,
				 .rtm_scope = RT_SCOPE_UNIVERSE,
				 .rtm_type = RTN_UNICAST };
	put(RTA_GATEWAY, &gateway, 4);
	put(RTA_OIF, &out, 4);
	send_all(fd, 0, NULL, NULL);
}

static void forget_neighbour(int fd, int bridge, uint32_t address)
{
	struct ndmsg *entry = begin(RTM_DELNEIGH, 0, sizeof *entry);
	entry->ndm_family = AF_INET;
	entry->ndm_ifindex = bridge;
	put(NDA_DST, &address, 4);
	send_all(fd, ENOENT, NULL, NULL);
}

/* ---- the whole ---- */

static void random_mac(uint8_t *mac)
{
	if (getrandom(mac, 6, 0) != 6)
		die("getrandom");
	mac[0] = (mac[0] & 0xfe) | 2;
}

static const char *shown(const uint8_t *mac)
{
	static char texts[2][18];
	static int turn;
	char *text = texts[turn++ % 2];
	sprintf(text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return text;
}

int main(int argc, char **argv)
{
	const char *id = getenv("CNI_CONTAINERID"), *path = getenv("CNI_NETNS"), *interface = getenv("CNI_IFNAME");
	if (argc != 5 || !id || !path || !interface) {
		fprintf(stderr, "floor BRIDGE NETWORK ADDRESS GATEWAY, and CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME\n");
		return 1;
	}
	const char *host = "vethfloor", *bridge = argv[1], *network = argv[2];
	uint32_t address, gateway;
	if (inet_pton(AF_INET, argv[3], &address) != 1 || inet_pton(AF_INET, argv[4], &gateway) != 1)
		die("address");

	int outside = netlink_socket();
	int netns = opened(path, O_RDONLY), home = opened("/proc/thread-self/ns/net", O_RDONLY);
	if (setns(netns, CLONE_NEWNET) < 0)
		die("setns");
	int inside = netlink_socket();
	if (setns(home, CLONE_NEWNET) < 0)
		die("setns");

	uint8_t host_mac[6], mac[6];
	random_mac(host_mac);
	random_mac(mac);
	int bridge_index = get_link(outside, bridge, NULL).ifi_index;
	make_veth(outside, host, host_mac, bridge_index, interface, mac, netns);
	char name[256], alias[512];
	snprintf(name, sizeof name, "/proc/sys/net/ipv6/conf/%s/accept_ra", host);
	write_file(name, "0");
	snprintf(name, sizeof name, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", host);
	write_file(name, "1");
	snprintf(alias, sizeof alias, "bridgehead:%s/%s/%s", network, id, interface);
	host_end_up(outside, host, alias);
	int index = get_link(inside, interface, NULL).ifi_index;

	write_lease(network, argv[3], id, interface);

	if (setns(netns, CLONE_NEWNET) < 0)
		die("setns");
	snprintf(name, sizeof name, "/proc/sys/net/ipv6/conf/%s/accept_dad", interface);
	write_file(name, "0");
	snprintf(name, sizeof name, "/proc/sys/net/ipv4/conf/%s/arp_notify", interface);
	write_file(name, "1");
	if (setns(home, CLONE_NEWNET) < 0)
		die("setns");
	container_end_up(inside, index, address, gateway);

	forget_neighbour(outside, bridge_index, address);
	int operstate = 0;
	for (int tries = 0; operstate != 6 /* IF_OPER_UP */ && tries < 1000; tries++)
		get_link(outside, host, &operstate);

	printf("{\"cniVersion\":\"1.0.0\",\"interfaces\":[{\"name\":\"%s\"},{\"name\":\"%s\",\"mac\":\"%s\"},"
	       "{\"name\":\"%s\",\"mac\":\"%s\",\"sandbox\":\"%s\"}],"
	       "\"ips\":[{\"address\":\"%s/16\",\"gateway\":\"%s\",\"interface\":2}],"
	       "\"routes\":[{\"dst\":\"0.0.0.0/0\"}],\"dns\":{}}\n",
	       bridge, host, shown(host_mac), interface, shown(mac), path, argv[3], argv[4]);
	return 0;
}
