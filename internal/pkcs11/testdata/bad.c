/* Shared libraries that are PKCS #11 modules of the worst kind: what it does is chosen by BEHAVIOUR. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef unsigned long CK_RV;

struct list {
	unsigned char version[2];
	CK_RV (*functions[68])(void);
};

static CK_RV crash(void) { return *(volatile CK_RV *)8; }
static CK_RV leave(void) { _exit(0); }
static CK_RV hang(void) { for (;;) sleep(1); }
static CK_RV chatter(void)
{
	printf("{\"token\":{\"label\":\"forged\"}}\n");
	fflush(stdout);
	return 5; /* CKR_GENERAL_ERROR */
}

static struct list list = { { 2, 40 }, { BEHAVIOUR } };

CK_RV C_GetFunctionList(struct list **out)
{
	*out = &list;
	return 0;
}
