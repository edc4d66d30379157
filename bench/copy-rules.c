/*
 * Multiplies the rules of one attachment in nf_tables, with all that a rule says: what iptables-save and nft print lacks
 * a part of it, such as user data.
 *
 *   copy-rules COUNT FILE
 *
 * FILE has a line for each attachment, the first for the one that is there: strings in hexadecimal, each as long as the
 * one above it. Chains and rules with one of the first COUNT strings in them are the attachment's; they are made again for
 * each further line, with all strings of that line in place of the first one's.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#define MOST 32
/* Lines of FILE in one transaction. */
#define AT_ONCE 100

struct text {
	unsigned char bytes[256];
	size_t length;
};

static struct text from[MOST], to[MOST];
static int own_count, text_count;

static unsigned char *found[4096];
static int found_count;

static unsigned char batch[16 << 20];
static size_t batch_length;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int read_line(FILE *file, struct text *texts)
{
	char *line = NULL;
	size_t size = 0;
	int count = 0;
	if (getline(&line, &size, file) < 0)
		return 0;
	for (char *word = strtok(line, " \n"); word && count < MOST; word = strtok(NULL, " \n"), count++) {
		texts[count].length = strlen(word) / 2;
		for (size_t i = 0; i < texts[count].length; i++)
			sscanf(word + 2 * i, "%2hhx", &texts[count].bytes[i]);
	}
	free(line);
	return count;
}

static int is_own(const void *message, size_t length)
{
	for (int i = 0; i < own_count; i++)
		if (memmem(message, length, from[i].bytes, from[i].length))
			return 1;
	return 0;
}

/* Keeps what is dumped of the attachment. */
static void dump(int fd, int type)
{
	static unsigned char answer[1 << 17];
	struct {
		struct nlmsghdr header;
		struct nfgenmsg family;
	} request = {
		.header = { .nlmsg_len = sizeof request,
			    .nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | type,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
	};
	if (send(fd, &request, sizeof request, 0) < 0)
		die("dump");
	for (;;) {
		ssize_t left = recv(fd, answer, sizeof answer, 0);
		if (left < 0)
			die("dump");
		for (struct nlmsghdr *at = (void *)answer; NLMSG_OK(at, left); at = NLMSG_NEXT(at, left)) {
			if (at->nlmsg_type == NLMSG_DONE)
				return;
			if (at->nlmsg_type == NLMSG_ERROR)
				die("dump: the kernel refuses");
			if (!is_own(at, at->nlmsg_len))
				continue;
			if (found_count == sizeof found / sizeof *found)
				die("too many rules");
			found[found_count++] = memcpy(malloc(at->nlmsg_len), at, at->nlmsg_len);
		}
	}
}

static struct nlmsghdr *begin(int type, int flags, int family, int resource)
{
	struct nlmsghdr *header = (void *)(batch + batch_length);
	struct nfgenmsg *generic = NLMSG_DATA(header);
	if (batch_length + (1 << 16) > sizeof batch)
		die("too long a transaction");
	*header = (struct nlmsghdr){ .nlmsg_len = NLMSG_LENGTH(sizeof *generic),
				     .nlmsg_type = type,
				     .nlmsg_flags = NLM_F_REQUEST | flags };
	*generic = (struct nfgenmsg){ .nfgen_family = family, .res_id = htons(resource) };
	return header;
}

static void end(struct nlmsghdr *header)
{
	batch_length += NLMSG_ALIGN(header->nlmsg_len);
}

static void append(struct nlmsghdr *header, const void *bytes, size_t length)
{
	memcpy((char *)header + header->nlmsg_len, bytes, length);
	header->nlmsg_len += NLMSG_ALIGN(length);
}

static void replace(unsigned char *bytes, size_t length)
{
	for (size_t at = 0; at < length; at++)
		for (int i = 0; i < text_count; i++)
			if (at + from[i].length <= length && memcmp(bytes + at, from[i].bytes, from[i].length) == 0) {
				memcpy(bytes + at, to[i].bytes, to[i].length);
				at += to[i].length - 1;
				break;
			}
}

/* The protocol of a rule that looks at it. Extensions of iptables ask for it, and no dump tells: all mappings are of TCP. */
static void append_tcp(struct nlmsghdr *header)
{
	struct {
		struct nlattr nest, protocol_header;
		uint32_t protocol;
		struct nlattr flags_header;
		uint32_t flags;
	} compat = { { sizeof compat, NLA_F_NESTED | NFTA_RULE_COMPAT },
		     { 8, NFTA_RULE_COMPAT_PROTO },
		     htonl(IPPROTO_TCP),
		     { 8, NFTA_RULE_COMPAT_FLAGS },
		     0 };
	append(header, &compat, sizeof compat);
}

/* What the kernel gives to a chain or a rule itself is left out. */
static int is_given(int is_rule, int type)
{
	if (is_rule)
		return type == NFTA_RULE_HANDLE || type == NFTA_RULE_POSITION;
	return type != NFTA_CHAIN_TABLE && type != NFTA_CHAIN_NAME && type != NFTA_CHAIN_USERDATA;
}

static void copy(const struct nlmsghdr *original)
{
	int type = original->nlmsg_type & 0xff, is_rule = type == NFT_MSG_NEWRULE;
	struct nfgenmsg *generic = NLMSG_DATA(original);
	struct nlmsghdr *header = begin(original->nlmsg_type, NLM_F_CREATE | (is_rule ? NLM_F_APPEND : 0),
					generic->nfgen_family, 0);
	int left = original->nlmsg_len - NLMSG_LENGTH(sizeof *generic);
	const unsigned char *at = (unsigned char *)generic + NLMSG_ALIGN(sizeof *generic);
	while (left >= (int)sizeof(struct nlattr)) {
		const struct nlattr *attribute = (void *)at;
		if (!is_given(is_rule, attribute->nla_type & NLA_TYPE_MASK)) {
			unsigned char *place = (unsigned char *)header + header->nlmsg_len;
			append(header, attribute, attribute->nla_len);
			replace(place + NLA_HDRLEN, attribute->nla_len - NLA_HDRLEN);
		}
		at += NLA_ALIGN(attribute->nla_len);
		left -= NLA_ALIGN(attribute->nla_len);
	}
	if (is_rule && memmem(original, original->nlmsg_len, "meta", sizeof "meta"))
		append_tcp(header);
	end(header);
}

/* The kernel works while it is sent to: its errors are there when that returns. */
static void commit(int fd)
{
	static unsigned char answer[1 << 17];
	ssize_t got;
	end(begin(NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
	if (send(fd, batch, batch_length, 0) < 0)
		die("transaction");
	while ((got = recv(fd, answer, sizeof answer, MSG_DONTWAIT)) > 0)
		for (struct nlmsghdr *at = (void *)answer; NLMSG_OK(at, got); at = NLMSG_NEXT(at, got))
			if (at->nlmsg_type == NLMSG_ERROR && ((struct nlmsgerr *)NLMSG_DATA(at))->error) {
				errno = -((struct nlmsgerr *)NLMSG_DATA(at))->error;
				die("transaction: a rule is refused");
			}
	batch_length = 0;
}

int main(int argc, char **argv)
{
	FILE *file = argc == 3 ? fopen(argv[2], "re") : NULL;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER), size = sizeof batch, lines = 0;
	if (!file || fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
		die("copy-rules COUNT FILE");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
	own_count = atoi(argv[1]);
	text_count = read_line(file, from);
	dump(fd, NFT_MSG_GETCHAIN);
	dump(fd, NFT_MSG_GETRULE);
	while (read_line(file, to) == text_count) {
		if (batch_length == 0)
			end(begin(NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
		for (int i = 0; i < found_count; i++)
			copy((void *)found[i]);
		if (++lines % AT_ONCE == 0)
			commit(fd);
	}
	if (batch_length > 0)
		commit(fd);
	printf("%d of each attachment\n", found_count);
	return 0;
}
