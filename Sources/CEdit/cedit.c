#define _GNU_SOURCE
#define _XOPEN_SOURCE 700
#ifdef __APPLE__
#define _DARWIN_C_SOURCE
#endif
#include "cedit.h"
#include "cload.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static struct {
  __typeof__(&el_init) init;
  __typeof__(&el_wset) wset;
  __typeof__(&el_wget) wget;
  __typeof__(&el_source) source;
  __typeof__(&el_wgets) wgets;
  __typeof__(&el_wline) wline;
  __typeof__(&el_winsertstr) winsertstr;
  __typeof__(&el_deletestr) deletestr;
} edit;

static const struct cl_symbol symbols[] = {
    {"el_init", (void **)&edit.init},
    {"el_wset", (void **)&edit.wset},
    {"el_wget", (void **)&edit.wget},
    {"el_source", (void **)&edit.source},
    {"el_wgets", (void **)&edit.wgets},
    {"el_wline", (void **)&edit.wline},
    {"el_winsertstr", (void **)&edit.winsertstr},
    {"el_deletestr", (void **)&edit.deletestr},
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char problem[512];

static void load(void) {
  // The names under which Debian, other Linux systems and macOS keep it.
  static const char *const files[] = {"libedit.so.2", "libedit.so.0", "/usr/lib/libedit.3.dylib", "libedit.3.dylib", NULL};
  static const struct cl_library library = {
      .name = "libedit", .debian = "libedit2", .needed = "version 3.1", .files = files, .symbols = symbols, .count = sizeof symbols / sizeof *symbols};
  cl_load(&library, problem, sizeof problem);
}

const char *ce_load(void) {
  pthread_once(&once, load);
  return problem[0] ? problem : NULL;
}

// libedit asks the terminal for its size and mode; this one is large and nobody's, so that it never wraps or scrolls.
static int private_terminal(void) {
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0) return -1;
  fcntl(master, F_SETFD, FD_CLOEXEC);
  if (grantpt(master) != 0 || unlockpt(master) != 0) {
    close(master);
    return -1;
  }
  const char *name = ptsname(master);
  int slave = name ? open(name, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
  if (slave < 0) close(master);
  struct winsize size = {.ws_row = 400, .ws_col = 1000};
  if (slave >= 0) ioctl(slave, TIOCSWINSZ, &size);
  return slave;
}

EditLine *ce_create(const char *program, void *context, ce_reader reader, const char **why) {
  *why = ce_load();
  if (*why) return NULL;
  *why = "there is no pseudo-terminal to edit on (/dev/ptmx, /dev/pts)";
  int terminal = private_terminal();
  if (terminal < 0) return NULL;
  *why = "libedit cannot begin";
  FILE *in = fdopen(terminal, "r+");
  FILE *nowhere = fopen("/dev/null", "r+");
  if (!in || !nowhere) return NULL;
  // It edits only if its output is a terminal when it starts; what it writes later goes nowhere.
  EditLine *editor = edit.init(program, in, in, nowhere);
  if (!editor) return NULL;
  edit.wset(editor, EL_SETFP, 1, nowhere);
  edit.wset(editor, EL_CLIENTDATA, context);
  edit.wset(editor, EL_SIGNAL, 0);
  edit.wset(editor, EL_EDITOR, L"emacs");
  edit.wset(editor, EL_GETCFN, reader);
  return editor;
}

void *ce_context(EditLine *editor) {
  void *context = NULL;
  edit.wget(editor, EL_CLIENTDATA, &context);
  return context;
}

void ce_add_function(EditLine *editor, const wchar_t *name, ce_function function) {
  edit.wset(editor, EL_ADDFN, name, name, function);
}

void ce_bind(EditLine *editor, const wchar_t *key, const wchar_t *command) {
  if (command) {
    edit.wset(editor, EL_BIND, key, command, NULL);
  } else {
    edit.wset(editor, EL_BIND, L"-r", key, NULL);
  }
}

void ce_bind_alternate(EditLine *editor, const wchar_t *key, const wchar_t *command) {
  if (command) {
    edit.wset(editor, EL_BIND, L"-a", key, command, NULL);
  } else {
    edit.wset(editor, EL_BIND, L"-a", L"-r", key, NULL);
  }
}

int ce_is_vi(EditLine *editor) {
  const wchar_t *mode = NULL;
  return edit.wget(editor, EL_EDITOR, &mode) == 0 && mode && mode[0] == L'v';
}

void ce_source(EditLine *editor) {
  // The path is ours, not libedit's, so that only a plain file of a sane size is opened: a pipe in its place would never end.
  // A relative path counts as not set: whoever stands in a folder of somebody else's must not get his keys.
  const char *own = getenv("EDITRC");
  const char *home = getenv("HOME");
  char path[4096];
  int length = own && *own == '/' ? snprintf(path, sizeof path, "%s", own)
                                  : snprintf(path, sizeof path, "%s/.editrc", home && *home == '/' ? home : "/nonexistent");
  struct stat status;
  if (length < 0 || (size_t)length >= sizeof path || stat(path, &status) != 0) return;
  if (S_ISREG(status.st_mode) && status.st_size < (1 << 20)) edit.source(editor, path);
}

int ce_is_editing(EditLine *editor) {
  int is_on = 1;
  return edit.wget(editor, EL_EDITMODE, &is_on) != 0 || is_on;
}

const wchar_t *ce_read(EditLine *editor, int *count) { return edit.wgets(editor, count); }

const wchar_t *ce_line(EditLine *editor, size_t *length, size_t *cursor) {
  const LineInfoW *line = edit.wline(editor);
  *length = (size_t)(line->lastchar - line->buffer);
  *cursor = (size_t)(line->cursor - line->buffer);
  return line->buffer;
}

void ce_replace(EditLine *editor, const wchar_t *text, size_t cursor) {
  // The cursor is moved through el_wline: el_cursor and el_replacestr do not exist on macOS.
  LineInfoW *line = (LineInfoW *)(void *)edit.wline(editor);
  line->cursor = line->lastchar;
  edit.deletestr(editor, (int)(line->lastchar - line->buffer));
  edit.winsertstr(editor, text);
  line = (LineInfoW *)(void *)edit.wline(editor);
  size_t length = (size_t)(line->lastchar - line->buffer);
  line->cursor = line->buffer + (cursor < length ? cursor : length);
}

void ce_move(EditLine *editor, size_t cursor) {
  LineInfoW *line = (LineInfoW *)(void *)edit.wline(editor);
  size_t length = (size_t)(line->lastchar - line->buffer);
  line->cursor = line->buffer + (cursor < length ? cursor : length);
}

int ce_insert(EditLine *editor, const wchar_t *text) { return edit.winsertstr(editor, text); }
void ce_delete_before(EditLine *editor, int count) { edit.deletestr(editor, count); }
