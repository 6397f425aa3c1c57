"""The pages of the example app."""

from django.urls import path

from apps.articles import views

app_name = "articles"  # so that a copy with the same names of pages has them beside these
urlpatterns = [
    path("", views.home, name="home"),
    path("articles/<int:pk>/", views.article, name="article"),
    path("articles/<int:pk>/upload/", views.upload, name="upload"),
]
