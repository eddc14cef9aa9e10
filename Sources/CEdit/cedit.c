#define _GNU_SOURCE
#define _XOPEN_SOURCE 700
#ifdef __APPLE__
#define _DARWIN_C_SOURCE
#endif
#include "cedit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

// libedit asks the terminal for its size and mode; this one is large and nobody's, so that it never wraps or scrolls.
static int private_terminal(void) {
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0) return -1;
  fcntl(master, F_SETFD, FD_CLOEXEC);
  if (grantpt(master) != 0 || unlockpt(master) != 0) return -1;
  const char *name = ptsname(master);
  int slave = name ? open(name, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
  struct winsize size = {.ws_row = 400, .ws_col = 1000};
  if (slave >= 0) ioctl(slave, TIOCSWINSZ, &size);
  return slave;
}

EditLine *ce_create(const char *program, void *context, ce_reader reader) {
  int terminal = private_terminal();
  if (terminal < 0) return NULL;
  FILE *in = fdopen(terminal, "r+");
  FILE *nowhere = fopen("/dev/null", "r+");
  if (!in || !nowhere) return NULL;
  // It edits only if its output is a terminal when it starts; what it writes later goes nowhere.
  EditLine *editor = el_init(program, in, in, nowhere);
  if (!editor) return NULL;
  el_wset(editor, EL_SETFP, 1, nowhere);
  el_wset(editor, EL_CLIENTDATA, context);
  el_wset(editor, EL_SIGNAL, 0);
  el_wset(editor, EL_EDITOR, L"emacs");
  el_wset(editor, EL_GETCFN, reader);
  return editor;
}

void *ce_context(EditLine *editor) {
  void *context = NULL;
  el_wget(editor, EL_CLIENTDATA, &context);
  return context;
}

void ce_add_function(EditLine *editor, const wchar_t *name, ce_function function) {
  el_wset(editor, EL_ADDFN, name, name, function);
}

void ce_bind(EditLine *editor, const wchar_t *key, const wchar_t *command) {
  if (command) {
    el_wset(editor, EL_BIND, key, command, NULL);
  } else {
    el_wset(editor, EL_BIND, L"-r", key, NULL);
  }
}

void ce_bind_alternate(EditLine *editor, const wchar_t *key, const wchar_t *command) {
  if (command) {
    el_wset(editor, EL_BIND, L"-a", key, command, NULL);
  } else {
    el_wset(editor, EL_BIND, L"-a", L"-r", key, NULL);
  }
}

int ce_is_vi(EditLine *editor) {
  const wchar_t *mode = NULL;
  return el_wget(editor, EL_EDITOR, &mode) == 0 && mode && mode[0] == L'v';
}

void ce_source(EditLine *editor) { el_source(editor, NULL); }

const wchar_t *ce_read(EditLine *editor, int *count) { return el_wgets(editor, count); }

const wchar_t *ce_line(EditLine *editor, size_t *length, size_t *cursor) {
  const LineInfoW *line = el_wline(editor);
  *length = (size_t)(line->lastchar - line->buffer);
  *cursor = (size_t)(line->cursor - line->buffer);
  return line->buffer;
}

void ce_replace(EditLine *editor, const wchar_t *text, size_t cursor) {
  // The cursor is moved through el_wline: el_cursor and el_replacestr do not exist on macOS.
  LineInfoW *line = (LineInfoW *)(void *)el_wline(editor);
  line->cursor = line->lastchar;
  el_deletestr(editor, (int)(line->lastchar - line->buffer));
  el_winsertstr(editor, text);
  line = (LineInfoW *)(void *)el_wline(editor);
  size_t length = (size_t)(line->lastchar - line->buffer);
  line->cursor = line->buffer + (cursor < length ? cursor : length);
}

void ce_move(EditLine *editor, size_t cursor) {
  LineInfoW *line = (LineInfoW *)(void *)el_wline(editor);
  size_t length = (size_t)(line->lastchar - line->buffer);
  line->cursor = line->buffer + (cursor < length ? cursor : length);
}

int ce_insert(EditLine *editor, const wchar_t *text) { return el_winsertstr(editor, text); }
void ce_delete_before(EditLine *editor, int count) { el_deletestr(editor, count); }
