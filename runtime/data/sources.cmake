# SentencePiece keeps its trainer in a library of its own where it is built shared.
find_library(RECUA_sentencepiece_train_LIBRARY sentencepiece_train)
if(NOT RECUA_sentencepiece_train_LIBRARY)
  recua_missing(sentencepiece_train libsentencepiece-dev sentencepiece sentencepiece-devel)
endif()

target_sources(runtime PRIVATE
  data/file.c data/inputs.c data/text.c data/stream.c data/sites.c
  data/documents.c data/documents_lines.c
  data/tokenizer.cc data/tokenizer_check.c data/tokenizer_file.c data/tokenizer_train.c
  data/tokens.c data/tokens_open.c data/tokens_write.c
  data/part_write.c data/part_read.c data/split.c data/join.c data/prepare.c
  data/loader.c data/loader_ahead.c)
target_link_libraries(runtime PRIVATE ${RECUA_sentencepiece_train_LIBRARY} recua::sentencepiece
                                      recua::hdf5 recua::jansson recua::zlib recua::zstd
                                      recua::xxhash Threads::Threads)
