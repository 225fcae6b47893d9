/* A module whose function `answer` returns a number; tests build it in several ways. */

#include <Python.h>

#define JOINED(a, b) a##b
#define INIT(name) JOINED(PyInit_, name)
#define TEXT(name) #name
#define QUOTED(name) TEXT(name)

#ifdef FROM_LIBRARY
extern long number(void);
#else
static long number(void) { return VALUE; }
#endif

static PyObject *answer(PyObject *self, PyObject *args) { return PyLong_FromLong(number()); }

static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};

#ifdef SINGLE_PHASE
static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, QUOTED(NAME), NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC INIT(NAME)(void) { return PyModule_Create(&module); }
#else
static PyModuleDef_Slot slots[] = {{0, NULL}};
static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, QUOTED(NAME), NULL, 0, methods, slots, NULL, NULL, NULL};
PyMODINIT_FUNC INIT(NAME)(void) { return PyModuleDef_Init(&module); }
#endif
