/* version.h: what --version prints. */
#ifndef SINKHOLED_VERSION_H
#define SINKHOLED_VERSION_H

#define SINKHOLED_VERSION "0.1.0"

#endif
